#include "peerless/train/sample_log.h"

#include "peerless/checkpoint/checkpoint.h"

namespace peerless {
namespace {

std::unique_ptr<OutputFile> start_file(Files& files, const std::filesystem::path& path) {
  if (exists(files, path)) files.remove(path);  // of a start that came to no later checkpoint
  return files.create(path);
}

}  // namespace

SampleLog::SampleLog(Files& files, const std::filesystem::path& folder, std::int64_t rank, std::int64_t first_step)
    : file_(start_file(files, folder / concat(step_name(first_step), "-rank-", zero_padded(rank, 5), ".tsv"))) {}

void SampleLog::write(std::int64_t step, std::uint64_t first, const BatchShare& share, const TrainingData& data) {
  std::string lines;
  for (std::int64_t j = 0; j < share.micro_batches(); ++j) {
    const std::uint64_t begin = share.first_position(first, j);
    for (auto position = begin; position < begin + static_cast<std::uint64_t>(share.micro_batch); ++position) {
      const SampleId id = data.sample(position);
      lines += concat(step, "\t", position, "\t", id.source, "\t", id.sample, "\t", id.epoch, "\n");
    }
  }
  file_->write(lines);
}

}  // namespace peerless
