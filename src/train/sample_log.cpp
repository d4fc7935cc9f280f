#include "peerless/train/sample_log.h"

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

void SampleLog::write(std::int64_t step, std::uint64_t first, const BatchShare& share, const TrainingData& data) {
  std::string lines;
  for (std::int64_t j = 0; j < share.micro_batches(); ++j) {
    const std::uint64_t begin = share.first_position(first, j);
    for (auto position = begin; position < begin + static_cast<std::uint64_t>(share.micro_batch); ++position) {
      const SampleId id = data.sample(position);
      lines += concat(step, "\t", position, "\t", id.source, "\t", id.sample, "\t", id.epoch, "\n");
    }
  }
  file_.write(lines);
}

}  // namespace peerless
