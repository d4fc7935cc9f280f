// SentencePiece models: reading any, and training ones that lose nothing.
//
// Ours       Identity normalisation, no dummy prefix, white space kept, newline and tab as pieces of their own, byte
//            fallback. <unk> is 0, <s> 1, </s> 2.
// U+2581     SentencePiece writes a space as U+2581 (▁), so it reads a ▁ in the text as a space. A lossless model has a
//            piece for every byte: ▁, NUL and bytes that are not UTF-8 are given as those, which every decoder of
//            SentencePiece models turns back (but for invalid bytes, which others show as U+FFFD).
// Encoding   The same ids as SentencePiece's own encoder gives for the whole text, several times faster: where no piece
//            of the vocabulary reaches over the start of a word, words are encoded one by one and remembered.
//            (For unigram models a word's best pieces are chosen within the word, whatever the rounding of sums before
//            it. A word of more than 256 KiB is encoded in parts.)
// Source     Kudo and Richardson 2018, "SentencePiece", arXiv:1808.06226; its library, version 0.2.1
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "peerless/text/tokenizer.h"

namespace peerless {

std::unique_ptr<Tokenizer> open_sentencepiece(const std::filesystem::path& model);

// From the bytes of a model; `name` stands for it in messages.
std::unique_ptr<Tokenizer> parse_sentencepiece(std::string model, const std::string& name);

struct SentencePieceTraining {
  enum class Algorithm { bpe, unigram };
  Algorithm algorithm = Algorithm::bpe;
  std::int64_t vocab_size = 4096;      // with the 3 control tokens, newline, tab and 256 bytes
  double character_coverage = 0.9995;  // share of all characters that get pieces; the rest is spelled in bytes
  std::int64_t threads = 1;            // the model's bytes depend on it (order of sums)
  std::int64_t seed = 1;               // chooses the sample, when there is more text than max_bytes
  std::int64_t max_bytes = 32 << 20;   // of text that training sees; bpe takes 20 times that of memory, unigram 40
};

// What was read, and what of the sample training did not see as it is written.
struct TrainingReport {
  std::int64_t documents = 0;          // used or not
  std::int64_t bytes = 0;              // of all documents
  std::int64_t invalid_documents = 0;  // not UTF-8: skipped
  std::int64_t sampled_bytes = 0;      // <= max_bytes; all valid text when that fits
  std::int64_t cuts = 0;      // in the sample: places where a line of more than 4 KiB is cut, and a word with it
  std::int64_t reserved = 0;  // in the sample: U+2581, U+2585 and NUL, which training cannot see; cut out
};

struct TrainedModel {
  std::string bytes;  // of the model file
  TrainingReport report;
};

// The next document, nothing after the last.
using NextText = std::function<std::optional<std::string>()>;

// Trains on a sample: passages of up to 4 KiB, each kept or not by its place in the stream and the seed. Reads the text
// once; memory is bounded. The same text, options and thread count give the same bytes.
// Errors  data  no text; too little of it for vocab_size; a vocab_size too small for the characters that occur
TrainedModel train_sentencepiece(const SentencePieceTraining& options, const NextText& next);

}  // namespace peerless
