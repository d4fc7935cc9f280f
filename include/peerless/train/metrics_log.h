// What was measured, for programs that read while the run goes on: metrics.jsonl, one JSON object a line, and the same
// numbers as TensorBoard events (event_file.h).
//
//   {"step":100,"tokens":819200,"samples":3200,"loss":3.1,"lr":0.001,...,"perf":{"tokens_per_sec":9120.4,...}}
//   {"step":100,"tokens":819200,"samples":3200,"eval":{"cpp":{"loss":2.9,"perplexity":18.2,"bits_per_byte":1.31,...}}}
//
// What depends on the machine stands in `perf` alone: without it, metrics.jsonl of a resumed run equals that of an
// uninterrupted one, as text. In TensorBoard, numbers are train/loss, perf/tokens_per_sec, val/cpp/loss.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "peerless/base/files.h"
#include "peerless/train/event_file.h"
#include "peerless/train/patient_log.h"

namespace peerless {

using Json = nlohmann::ordered_json;

class MetricsLog {
 public:
  // Goes on with the files in `folder`, after cutting what is beyond `last_step` and a torn last record.
  MetricsLog(Files& files, const std::filesystem::path& folder, std::int64_t last_step);

  // Whether the files that it went on with end in an evaluation at `last_step`.
  bool evaluated() const { return evaluated_; }

  void write(const Json& record);  // has "step"
  void sync();                     // before a checkpoint of the same step is called durable

 private:
  EventFile events_;
  std::optional<PatientLog> file_;
  bool evaluated_ = false;
};

}  // namespace peerless
