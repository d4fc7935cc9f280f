#include "peerless/text/tokenizer.h"

#include "peerless/text/sentencepiece.h"
#include "src/text/byte_tokenizer.h"

namespace peerless {
namespace {

std::unique_ptr<Tokenizer> open(const SentencePieceConfig& config) { return open_sentencepiece(config.model); }
std::unique_ptr<Tokenizer> open(const ByteConfig&) { return std::make_unique<ByteTokenizer>(); }

}  // namespace

std::unique_ptr<Tokenizer> open_tokenizer(const TokenizerConfig& config) {
  return std::visit([](const auto& kind) { return open(kind); }, config);
}

}  // namespace peerless
