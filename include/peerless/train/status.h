// status.json: where a run stands, for programs that watch it. Replaced atomically.
//
//   {"state":"running","code":null,"step":100,"max_steps":200,"durable":100,"time":"2026-01-31T12:00:00Z"}
//
// state    running; done (max_steps reached); paused (stop_at reached); stopped (asked to, exit 75); failed
// code     the exit code once there is one
// step     steps done, as of the last log line;  durable  step of the newest checkpoint reported durable; 0: none yet
//
// That it cannot be written is only logged: it must neither end a run nor hide the failure that it tells of.
//
// Threads  any: saves, and the loss of another process, are told from threads of their own. After ended() nothing is
//          written, nor is may_write asked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "peerless/base/error.h"
#include "peerless/base/files.h"

namespace peerless {

class Status {
 public:
  explicit Status(Files& files) : files_(files) {}
  // From now on it tells, where it may; a process that never opens it leaves that to another. `durable_before`: what
  // the run has from processes before this one.
  void open(
      std::filesystem::path file, std::int64_t max_steps, std::int64_t durable_before,
      std::function<bool()> may_write = [] { return true; });

  void running(std::int64_t step);
  void durable(std::int64_t step);  // a checkpoint of that step is durable
  void ended(ExitCode code);

 private:
  void write(const std::string& state, std::optional<ExitCode> code) const;

  Files& files_;
  std::mutex mutex_;
  bool ended_ = false;
  std::filesystem::path file_;
  std::function<bool()> may_write_;
  std::int64_t max_steps_ = 0, step_ = 0, durable_ = 0;
};

}  // namespace peerless
