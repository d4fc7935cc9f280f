#include "peerless/train/step_record.h"

namespace peerless {

Json position_of(const Counters& counters) {
  return {{"step", counters.step}, {"tokens", counters.tokens}, {"samples", counters.samples}};
}

Json record_of(const Counters& counters, const StepReport& report, const Figures& routing,
               const Performance& performance) {
  Json record = position_of(counters);
  record["loss"] = report.loss;
  record["lr"] = report.lr;
  record["grad_norm"] = report.grad_norm;
  if (report.rows_touched > 0) {
    record["table_grad_norm"] = report.table_grad_norm;
    record["rows_touched"] = report.rows_touched;
  }
  if (report.aux_loss) record["aux_loss"] = *report.aux_loss;
  if (report.z_loss != 0) record["z_loss"] = report.z_loss;
  for (const auto& [name, value] : routing) record["routing"][name] = value;
  record["skipped_steps"] = counters.skipped;
  record["perf"] = {{"tokens_per_sec", performance.tokens_per_second},
                    {"step_time_ms", 1e3 * performance.step_seconds},
                    {"mfu", performance.mfu},
                    {"data_wait", performance.data_wait},
                    {"save_ms", 1e3 * performance.save_seconds},
                    {"memory_bytes", performance.memory}};
  return record;
}

}  // namespace peerless
