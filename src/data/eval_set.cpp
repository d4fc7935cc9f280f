#include "peerless/data/eval_set.h"

#include <algorithm>

#include "peerless/base/error.h"
#include "peerless/data/permutation.h"

namespace peerless {

EvalSet::EvalSet(const ValSetConfig& config, const TokenizerInfo& tokenizer, std::int64_t seq_len, std::int64_t batch,
                 std::int64_t max_batches, const Files& files)
    : name_(config.name), source_(config.path, files), seq_len_(seq_len), batch_(batch) {
  source_.expect(tokenizer);
  if (!tokenizer.bos) {
    throw Error(ExitCode::data, config.path,
                ": its tokenizer has no bos, so nothing predicts a document's first token");
  }
  const auto limit = static_cast<std::uint64_t>(max_batches > 0 ? max_batches * batch : INT64_MAX);
  const Permutation order(source_.documents(), /*key=*/0);
  for (std::uint64_t i = 0; i < source_.documents(); ++i) {
    const auto document = source_.document(max_batches > 0 ? order(i) : i);
    const auto length = static_cast<std::uint64_t>(seq_len);
    const auto needed = (document.tokens - 1 + length - 1) / length;
    if (i > 0 && windows_.size() + needed > limit) break;
    add_document(document);
  }
  std::stable_sort(windows_.begin(), windows_.end(),
                   [](const Window& a, const Window& b) { return a.targets > b.targets; });
}

void EvalSet::add_document(const TokenSource::Document& document) {
  const auto length = static_cast<std::uint64_t>(seq_len_);
  const auto targets = document.tokens - 1;
  for (std::uint64_t at = 0; at < targets; at += length) {
    windows_.push_back({document.first_token + at, std::min(length, targets - at), /*begins_document=*/at == 0});
  }
  documents_ += 1;
  targets_ += static_cast<std::int64_t>(targets);
  raw_bytes_ += static_cast<std::int64_t>(document.raw_bytes);
}

// Else a document's first token would be scored by what another document, or none, predicts.
void EvalSet::check_begin(std::uint64_t at, std::int64_t token) const {
  const auto bos = *source_.tokenizer().bos;
  if (token == bos) return;
  throw Error(ExitCode::data, source_.path(), ": a document begins at token ", at, " with the id ", token,
              ", expected bos ", bos);
}

std::int64_t EvalSet::batches() const { return (static_cast<std::int64_t>(windows_.size()) + batch_ - 1) / batch_; }

Batch EvalSet::batch(std::int64_t index) const {
  PEERLESS_CHECK(index >= 0 && index < batches(), "batch ", index, " of ", batches());
  const auto first = static_cast<std::size_t>(index * batch_);
  const auto rows = std::min(windows_.size() - first, static_cast<std::size_t>(batch_));
  const auto width = windows_[first].targets;  // the longest comes first

  Batch batch{
      .batch = static_cast<std::int64_t>(rows), .seq_len = static_cast<std::int64_t>(width), .first_sample = first};
  batch.inputs.resize(rows * width);
  batch.targets.resize(rows * width);
  batch.mask.resize(rows * width);
  std::vector<std::int64_t> tokens;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto& window = windows_[first + row];
    tokens.resize(window.targets + 1);
    source_.copy(window.first_token, tokens);
    if (window.begins_document) check_begin(window.first_token, tokens.front());
    const auto at = static_cast<std::ptrdiff_t>(row * width);
    std::copy(tokens.begin(), tokens.end() - 1, batch.inputs.begin() + at);
    std::copy(tokens.begin() + 1, tokens.end(), batch.targets.begin() + at);
    std::fill_n(batch.mask.begin() + at, window.targets, std::uint8_t{1});
    batch.unmasked += static_cast<std::int64_t>(window.targets);
  }
  return batch;
}

}  // namespace peerless
