// What metrics.jsonl says of a training step (docs/formats/run-folder.md).
#pragma once

#include "peerless/train/counters.h"
#include "peerless/train/metrics_log.h"
#include "peerless/train/progress.h"
#include "peerless/train/training_step.h"

namespace peerless {

// Where a run stands: what every record begins with.
Json position_of(const Counters& counters);

Json record_of(const Counters& counters, const StepReport& report, const Figures& routing,
               const Performance& performance);

}  // namespace peerless
