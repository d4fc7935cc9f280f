#include "peerless/train/status.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "peerless/base/log.h"
#include "peerless/train/machine.h"

namespace peerless {

void Status::open(std::filesystem::path file, std::int64_t max_steps, std::int64_t durable_before,
                  std::function<bool()> may_write) {
  const std::lock_guard lock(mutex_);
  file_ = std::move(file);
  may_write_ = std::move(may_write);
  max_steps_ = max_steps;
  step_ = durable_ = durable_before;
}

void Status::running(std::int64_t step) {
  const std::lock_guard lock(mutex_);
  step_ = step;
  write("running", std::nullopt);
}

void Status::durable(std::int64_t step) {
  const std::lock_guard lock(mutex_);
  durable_ = step;
  step_ = std::max(step_, step);
  write("running", std::nullopt);
}

void Status::ended(ExitCode code) {
  const std::lock_guard lock(mutex_);
  const char* const state = code == ExitCode::preempted ? "stopped"
                            : code != ExitCode::ok      ? "failed"
                            : step_ < max_steps_        ? "paused"
                                                        : "done";
  write(state, code);
  ended_ = true;
}

void Status::write(const std::string& state, std::optional<ExitCode> code) const {
  if (file_.empty() || ended_ || !may_write_()) return;
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
