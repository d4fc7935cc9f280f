#include "peerless/train/sample_log.h"

#include <utility>

#include "peerless/checkpoint/checkpoint.h"

namespace peerless {
namespace {

constexpr std::string_view kSuffix = ".tsv";

}  // namespace

void start_sample_logs(Files& files, const std::filesystem::path& folder, std::int64_t first_step) {
  make_folders(files, folder);
  const auto length = step_name(first_step).size();
  for (const auto& name : files.list(folder)) {
    const auto step = step_in(name.substr(0, length));
    if (step && *step >= first_step && name.ends_with(kSuffix)) files.remove(folder / name);
  }
}

SampleLog::SampleLog(Files& files, const std::filesystem::path& folder, std::int64_t rank, std::int64_t first_step)
    : file_(files, folder / concat(step_name(first_step), "-rank-", zero_padded(rank, 5), kSuffix)) {}

void SampleLog::add(std::int64_t step, const Batch& batch, const TrainingData& data) {
  const std::uint64_t end = batch.first_sample + static_cast<std::uint64_t>(batch.batch);
  for (std::uint64_t position = batch.first_sample; position < end; ++position) {
    const SampleId id = data.sample(position);
    lines_ += concat(step, "\t", position, "\t", id.source, "\t", id.sample, "\t", id.epoch, "\n");
  }
}

void SampleLog::write() { file_.write(std::exchange(lines_, {})); }

}  // namespace peerless
