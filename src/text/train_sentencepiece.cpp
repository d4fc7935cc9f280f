#include <sentencepiece_trainer.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "peerless/base/error.h"
#include "peerless/base/log.h"
#include "peerless/base/random.h"
#include "peerless/base/utf8.h"
#include "peerless/text/sentencepiece.h"

namespace peerless {
namespace {

constexpr std::size_t kPassage = 4096;  // bytes: what the sample takes or leaves, and the longest line

struct Passage {
  std::string_view text;
  bool goes_on;  // the line does: it is cut here
};

// A uniform sample of a stream's passages in bounded memory: those whose random keys are the smallest.
class Sample {
 public:
  Sample(std::int64_t seed, std::int64_t max_bytes)
      : keys_(static_cast<std::uint64_t>(seed), /*stream=*/0), max_bytes_(max_bytes) {}

  void add(const Passage& passage) {
    kept_.push_back({keys_.bits(count_++), std::string(passage.text), passage.goes_on});
    std::push_heap(kept_.begin(), kept_.end());
    bytes_ += static_cast<std::int64_t>(passage.text.size());
    while (bytes_ > max_bytes_) {
      std::pop_heap(kept_.begin(), kept_.end());
      bytes_ -= static_cast<std::int64_t>(kept_.back().text.size());
      kept_.pop_back();
    }
  }

  // In no order that means anything: the trainer counts words.
  std::vector<std::string> take() {
    std::vector<std::string> texts;
    for (auto& kept : std::exchange(kept_, {})) texts.push_back(std::move(kept.text));
    return texts;
  }

  std::int64_t bytes() const { return bytes_; }
  std::int64_t cuts() const {
    return std::count_if(kept_.begin(), kept_.end(), [](const Kept& kept) { return kept.goes_on; });
  }

 private:
  struct Kept {
    std::uint64_t key;
    std::string text;
    bool goes_on;
    bool operator<(const Kept& other) const { return key < other.key; }
  };

  RandomStream keys_;
  std::int64_t max_bytes_;
  std::int64_t bytes_ = 0;
  std::uint64_t count_ = 0;
  std::vector<Kept> kept_;  // a heap, the largest key in front
};

// Whole lines of up to kPassage bytes; a longer line is cut.
Passage next_passage(std::string_view text) {
  if (text.size() <= kPassage) return {text, false};
  const auto end = text.rfind('\n', kPassage - 1);
  if (end != std::string_view::npos) return {text.substr(0, end + 1), false};
  const auto passage = utf8_prefix(text, kPassage);
  return {passage, text[passage.size()] != '\n'};
}

std::vector<std::string> sample_passages(const SentencePieceTraining& options, const NextText& next,
                                         TrainingReport& report) {
  Sample sample(options.seed, options.max_bytes);
  while (const auto document = next()) {
    std::string_view rest = *document;
    report.documents += 1;
    report.bytes += static_cast<std::int64_t>(rest.size());
    if (find_invalid_utf8(rest) != std::string_view::npos) {
      report.invalid_documents += 1;
      continue;
    }
    while (!rest.empty()) {
      const auto passage = next_passage(rest);
      sample.add(passage);
      rest.remove_prefix(passage.text.size());
    }
  }
  report.sampled_bytes = sample.bytes();
  report.cuts = sample.cuts();
  return sample.take();
}

// What the trainer sees: the text between the characters that no piece may hold. Newline and tab are pieces of their
// own; U+2581 would count as a space; the trainer drops whole lines that hold U+2585 and stumbles over NUL.
std::vector<std::string> split_sentences(std::vector<std::string> passages, TrainingReport& report) {
  std::vector<std::string> sentences;
  for (auto& passage : passages) {
    std::string_view rest = passage;
    while (!rest.empty()) {
      std::size_t end = 0, separator = 0;
      for (; end < rest.size() && separator == 0; end += separator == 0) {
        const char c = rest[end];
        const bool reserved =
            rest.substr(end).starts_with("\xE2\x96\x81") || rest.substr(end).starts_with("\xE2\x96\x85");
        if (reserved || c == '\0') report.reserved += 1;
        separator = reserved ? 3 : c == '\n' || c == '\t' || c == '\0' ? 1 : 0;
      }
      if (end > 0) sentences.emplace_back(rest.substr(0, end));
      rest.remove_prefix(end + separator);
    }
    passage = {};  // both lists together hold the text once
  }
  return sentences;
}

class SentenceList final : public sentencepiece::SentenceIterator {
 public:
  explicit SentenceList(const std::vector<std::string>& sentences) : sentences_(sentences) {}
  bool done() const override { return at_ == sentences_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return sentences_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& sentences_;
  std::size_t at_ = 0;
};

std::unordered_map<std::string, std::string> trainer_arguments(const SentencePieceTraining& options) {
  return {
      {"model_type", options.algorithm == SentencePieceTraining::Algorithm::bpe ? "bpe" : "unigram"},
      {"vocab_size", std::to_string(options.vocab_size)},
      {"character_coverage", shortest(options.character_coverage)},
      {"num_threads", std::to_string(options.threads)},
      // What makes the model lossless.
      {"normalization_rule_name", "identity"},
      {"add_dummy_prefix", "false"},
      {"remove_extra_whitespaces", "false"},
      {"byte_fallback", "true"},
      {"user_defined_symbols", "\n,\t"},
      // Runs of spaces are worth a piece: indentation.
      {"allow_whitespace_only_pieces", "true"},
      // Passages are short already, and nothing may be left out in silence.
      {"max_sentence_length", std::to_string(1 << 30)},
      {"minloglevel", "3"},
  };
}

// "Internal: file.cc(12) [condition] text" without what only its authors can read.
std::string reason(const sentencepiece::util::Status& status) {
  std::string_view text = status.error_message();
  if (const auto end = text.find("] "); end != std::string_view::npos) text.remove_prefix(end + 2);
  return printable(text);
}

}  // namespace

TrainedModel train_sentencepiece(const SentencePieceTraining& options, const NextText& next) {
  TrainedModel model;
  const auto sentences = split_sentences(sample_passages(options, next, model.report), model.report);
  if (sentences.empty()) {
    throw Error(ExitCode::data, "no text to train a tokenizer on: ", model.report.documents, " documents, ",
                model.report.invalid_documents, " of them not UTF-8");
  }
  log::info("training the tokenizer on ", human_bytes(static_cast<double>(model.report.sampled_bytes)), " of ",
            human_bytes(static_cast<double>(model.report.bytes)), " of text");
  SentenceList list(sentences);
  const auto status = sentencepiece::SentencePieceTrainer::Train(trainer_arguments(options), &list, &model.bytes);
  if (!status.ok()) throw Error(ExitCode::data, "training the tokenizer failed: ", reason(status));
  return model;
}

}  // namespace peerless
