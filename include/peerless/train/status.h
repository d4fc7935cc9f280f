// status.json: where a run stands, for programs that watch it. Replaced atomically.
//
//   {"state":"running","code":null,"step":100,"durable":100,"time":"2026-01-31T12:00:00Z"}
//
// state    running, done, stopped (asked to, exit 75) or failed;  code  the exit code once there is one
// durable  step of the newest checkpoint that was reported durable; 0: none yet
#pragma once

#include <filesystem>
#include <optional>

#include "peerless/base/error.h"
#include "peerless/base/files.h"

namespace peerless {

class Status {
 public:
  Status(Files& files, std::filesystem::path file) : files_(files), file_(std::move(file)) {}

  void running(std::int64_t step, std::int64_t durable);
  // A failure to write it must not hide the failure that it tells of: it is only logged.
  void ended(ExitCode code);

 private:
  void write(const char* state, std::optional<ExitCode> code);

  Files& files_;
  std::filesystem::path file_;
  std::int64_t step_ = 0, durable_ = 0;
};

}  // namespace peerless
