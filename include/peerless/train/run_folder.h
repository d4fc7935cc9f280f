// The folder of a run, <run.dir>/<run.name>/:
//
//   config.yaml     the resolved config          metrics.jsonl   what was measured, a record a line (metrics_log.h)
//   log.txt         all log lines                status.json     where the run stands, for programs
//   checkpoints/    step-000000000100/, ...      id              the run's name for itself, the same after each resume
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "peerless/base/files.h"

namespace peerless {

// What `--resume` says.
enum class ResumeMode {
  automatic,  // go on from the newest good checkpoint of the run's folder; start anew when there is none
  never,      // the folder must not hold a run
};

class RunFolder {
 public:
  // Makes the folder, or takes over one that a run of ours made. Error(output) when it holds something else, or a run
  // although `mode` is never.
  static RunFolder open(Files& files, const std::filesystem::path& folder, ResumeMode mode);

  const std::filesystem::path& path() const { return path_; }
  const std::string& id() const { return id_; }
  std::filesystem::path config() const { return path_ / "config.yaml"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path log() const { return path_ / "log.txt"; }
  std::filesystem::path status() const { return path_ / "status.json"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }

 private:
  RunFolder(std::filesystem::path path, std::string id) : path_(std::move(path)), id_(std::move(id)) {}

  std::filesystem::path path_;
  std::string id_;
};

}  // namespace peerless
