// Which samples a process trained on: step-000000000007-rank-00001.tsv in the run's samples/, a file for each start and
// process, beginning after the step of its name. A line a sample:
//
//   step <tab> position in the order of samples <tab> source (of data.train) <tab> sample in it <tab> epoch of it
//
// After a resume, its lines replace those of the same steps in files of earlier starts.
#pragma once

#include <filesystem>

#include "peerless/base/files.h"
#include "peerless/data/loader.h"
#include "peerless/train/patient_log.h"

namespace peerless {

// Makes the folder, and removes in it what starts at that step or a later one have left, which came to nothing. Before
// any process begins its log.
void start_sample_logs(Files& files, const std::filesystem::path& folder, std::int64_t first_step);

class SampleLog {
 public:
  SampleLog(Files& files, const std::filesystem::path& folder, std::int64_t rank, std::int64_t first_step);

  // The samples of a micro-batch; written once its step has come to its end.
  void add(std::int64_t step, const Batch& batch, const TrainingData& data);
  void write();

 private:
  PatientLog file_;
  std::string lines_;  // of the step under way
};

}  // namespace peerless
