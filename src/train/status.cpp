#include "peerless/train/status.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "peerless/base/log.h"

namespace peerless {
namespace {

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

const char* state_of(ExitCode code) {
  return code == ExitCode::ok ? "done" : code == ExitCode::preempted ? "stopped" : "failed";
}

}  // namespace

void Status::running(std::int64_t step, std::int64_t durable) {
  step_ = step;
  durable_ = durable;
  write("running", std::nullopt);
}

void Status::ended(ExitCode code) {
  try {
    write(state_of(code), code);
  } catch (const Error& error) {
    log::warning(error.what());
  }
}

void Status::write(const char* state, std::optional<ExitCode> code) {
  nlohmann::ordered_json json{
      {"state", state}, {"code", nullptr}, {"step", step_}, {"durable", durable_}, {"time", utc_time()}};
  if (code) json["code"] = static_cast<int>(*code);
  write_atomically(files_, file_, json.dump() + "\n");
}

}  // namespace peerless
