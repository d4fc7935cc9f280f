#include "peerless/train/status.h"

#include <nlohmann/json.hpp>

#include "peerless/base/log.h"
#include "peerless/train/machine.h"

namespace peerless {

void Status::running(std::int64_t step) {
  step_ = step;
  write("running", std::nullopt);
}

void Status::durable(std::int64_t step) {
  durable_ = step;
  running(step);
}

void Status::ended(ExitCode code) {
  const char* const state = code == ExitCode::preempted ? "stopped"
                            : code != ExitCode::ok      ? "failed"
                            : step_ < max_steps_        ? "paused"
                                                        : "done";
  write(state, code);
}

void Status::write(const std::string& state, std::optional<ExitCode> code) const {
  if (file_.empty()) return;
  nlohmann::ordered_json json{{"state", state},          {"code", nullptr},     {"step", step_},
                              {"max_steps", max_steps_}, {"durable", durable_}, {"time", utc_time()}};
  if (code) json["code"] = static_cast<int>(*code);
  try {
    write_atomically(files_, file_, json.dump() + "\n");
  } catch (const Error& error) {
    log::warning(error.what());
  }
}

}  // namespace peerless
