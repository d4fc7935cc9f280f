#include "src/text/sentencepiece_tokenizer.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "peerless/base/files.h"
#include "peerless/base/utf8.h"
#include "peerless/text/sentencepiece.h"
#include "src/text/vocabulary.h"

namespace peerless {
namespace {

constexpr std::uint64_t kMaxModelBytes = 1 << 30;
constexpr std::size_t kMaxWord = 256 << 10;           // SentencePiece takes 100 bytes of memory for a byte of a word
constexpr std::size_t kMaxRemembered = 64;            // longer words hardly come twice
constexpr std::size_t kMaxWordsRemembered = 1 << 17;  // some 20 MB

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581, how pieces spell a space

using PieceType = ModelFile::PieceType;

std::string with_spaces(std::string_view piece) {
  std::string text;
  while (!piece.empty()) {
    const bool space = piece.starts_with(kSpaceMark);
    text += space ? ' ' : piece[0];
    piece.remove_prefix(space ? kSpaceMark.size() : 1);
  }
  return text;
}

// Words begin at a space after something else; newlines and tabs are words of their own.
bool reaches_over_words(std::string_view bytes) {
  if (bytes.size() > 1 && bytes.find_first_of("\n\t") != std::string_view::npos) return true;
  const auto word = bytes.find_first_not_of(' ');
  return word != std::string_view::npos && bytes.find(' ', word) != std::string_view::npos;
}

// Whether a text can be spelled with it.
bool has_piece(const ModelFile& file, std::string_view text) {
  return std::any_of(file.pieces.begin(), file.pieces.end(), [text](const auto& piece) {
    return piece.text == text && (piece.type == PieceType::normal || piece.type == PieceType::user_defined);
  });
}

std::string bytes_of(const ModelFile::Piece& piece, int byte) {
  switch (piece.type) {
    case PieceType::control:
      return "";
    case PieceType::unknown:
      return " \xE2\x81\x87 ";  // as SentencePiece shows it
    case PieceType::byte:
      return std::string(1, static_cast<char>(byte));
    default:
      return with_spaces(piece.text);
  }
}

// What is wrong with the model, which some of it tells by exceptions; "" when nothing.
std::string load(sentencepiece::SentencePieceProcessor& processor, const std::string& model) {
  try {
    const auto status = processor.LoadFromSerializedProto(model);
    return status.ok() ? "" : concat("SentencePiece: ", status.error_message());
  } catch (const std::exception& error) {
    return concat("SentencePiece: ", error.what());
  }
}

}  // namespace

// ---- construction --------------------------------------------------------------------------------------------------

SentencePieceTokenizer::SentencePieceTokenizer(std::string model, std::string name)
    : name_(std::move(name)), digest_(peerless::digest(model)) {
  const auto refuse = [&](std::string_view reason) {
    return Error(ExitCode::data, name_, ": not a usable SentencePiece model: ", excerpt(reason, 500));
  };
  try {
    file_ = parse_model_file(model);
  } catch (const Error& error) {
    throw refuse(error.what());
  }
  sentencepiece::SetMinLogLevel(3);  // it speaks on standard error; we have logs and errors of our own
  if (const auto fault = load(processor_, model); !fault.empty()) throw refuse(fault);

  if (processor_.GetPieceSize() != std::ssize(file_.pieces)) {
    throw refuse(concat("SentencePiece finds ", processor_.GetPieceSize(), " pieces in it, we ", file_.pieces.size()));
  }

  std::size_t byte_pieces = 0;
  word_by_word_ = file_.escape_whitespaces;
  for (std::size_t i = 0; i < file_.pieces.size(); ++i) {
    const auto& piece = file_.pieces[i];
    const auto id = static_cast<TokenId>(i);
    const int byte = piece.type == PieceType::byte ? std::stoi(piece.text.substr(3, 2), nullptr, 16) : -1;
    if (byte >= 0) byte_ids_[static_cast<std::size_t>(byte)] = id, ++byte_pieces;
    bytes_.push_back(bytes_of(piece, byte));
    if (byte < 0 && piece.type != PieceType::unknown && reaches_over_words(bytes_.back())) word_by_word_ = false;
  }
  if (file_.byte_fallback && byte_pieces != byte_ids_.size()) throw refuse("it needs 256 byte pieces");
  lossless_ = losses().empty();
}

std::string SentencePieceTokenizer::kind() const {
  constexpr std::array<std::string_view, 5> kAlgorithms = {"", "unigram", "bpe", "word", "char"};
  return concat("sentencepiece ", kAlgorithms[static_cast<std::size_t>(file_.algorithm)]);
}

std::string SentencePieceTokenizer::losses() const {
  std::vector<std::string> losses;
  if (file_.maps_characters) losses.push_back(concat("characters are replaced (normaliser ", file_.normalizer, ")"));
  if (file_.denormalizes) losses.emplace_back("decoded characters are replaced (denormaliser)");
  if (file_.add_dummy_prefix) losses.emplace_back("a space is put before the text (dummy prefix)");
  if (file_.remove_extra_whitespaces) losses.emplace_back("leading, trailing and repeated spaces are removed");
  if (!file_.byte_fallback) losses.emplace_back("unknown characters become <unk> (no byte fallback)");
  if (file_.byte_fallback && file_.escape_whitespaces && !has_piece(file_, kSpaceMark))
    losses.emplace_back("spaces become U+2581 (it has no piece)");
  return join(losses, "; ");
}

// ---- encoding ------------------------------------------------------------------------------------------------------

const std::vector<TokenId>* SentencePieceTokenizer::WordCache::find(std::string_view word) const {
  const auto found = ids_.find(word);
  return found == ids_.end() ? nullptr : &found->second;
}

void SentencePieceTokenizer::WordCache::add(std::string_view word, const std::vector<TokenId>& ids) {
  if (word.size() > kMaxRemembered) return;
  if (ids_.size() == kMaxWordsRemembered) ids_.clear();
  ids_.emplace(word, ids);
}

std::unique_ptr<SentencePieceTokenizer::WordCache> SentencePieceTokenizer::borrow_cache() const {
  const std::lock_guard lock(mutex_);
  if (caches_.empty()) return std::make_unique<WordCache>();
  auto cache = std::move(caches_.back());
  caches_.pop_back();
  return cache;
}

std::vector<TokenId> SentencePieceTokenizer::encode_plainly(std::string_view text) const {
  std::vector<TokenId> ids;
  const auto status = processor_.Encode(text, &ids);
  if (!status.ok()) throw Error(ExitCode::data, name_, ": cannot encode: ", excerpt(status.error_message(), 500));
  return ids;
}

// The longest start of `text` that may be encoded by itself; empty when its first byte must be spelled as a byte.
std::string_view SentencePieceTokenizer::next_word(std::string_view text) const {
  bool in_word = false;  // past its leading spaces
  std::size_t i = 0;
  while (i < text.size() && i <= kMaxWord) {  // what lies behind is looked at when it is its turn
    const char c = text[i];
    if (c == '\0') break;
    if (word_by_word_ && c == ' ' && in_word) break;
    if (word_by_word_ && (c == '\n' || c == '\t')) return text.substr(0, i == 0 ? 1 : i);
    const auto length = static_cast<unsigned char>(c) < 0x80 ? 1 : utf8_length(text.substr(i));
    if (length == 0 || text.substr(i).starts_with(kSpaceMark)) break;
    in_word = in_word || c != ' ';
    i += length;
  }
  return utf8_prefix(text.substr(0, i), kMaxWord);
}

std::vector<TokenId> SentencePieceTokenizer::encode(std::string_view text) const {
  if (!lossless_) return encode_plainly(text);
  std::vector<TokenId> ids;
  auto cache = borrow_cache();
  while (!text.empty()) {
    const auto word = next_word(text);
    if (word.empty()) {
      const std::size_t length = text.starts_with(kSpaceMark) ? kSpaceMark.size() : 1;
      for (const char c : text.substr(0, length)) ids.push_back(byte_ids_[static_cast<unsigned char>(c)]);
      text.remove_prefix(length);
      continue;
    }
    if (const auto* known = cache->find(word)) {
      ids.insert(ids.end(), known->begin(), known->end());
    } else {
      const auto fresh = encode_plainly(word);
      ids.insert(ids.end(), fresh.begin(), fresh.end());
      cache->add(word, fresh);
    }
    text.remove_prefix(word.size());
  }
  const std::lock_guard lock(mutex_);
  caches_.push_back(std::move(cache));
  return ids;
}

// ---- decoding ------------------------------------------------------------------------------------------------------

std::string SentencePieceTokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  for (const TokenId id : ids) {
    check_token(id, vocab_size());
    if (lossless_) text += bytes_[static_cast<std::size_t>(id)];
  }
  if (lossless_) return text;
  const auto status = processor_.Decode(std::vector<int>(ids.begin(), ids.end()), &text);
  if (!status.ok()) throw Error(ExitCode::data, name_, ": cannot decode: ", excerpt(status.error_message(), 500));
  return text;
}

std::string SentencePieceTokenizer::bytes(TokenId id) const {
  check_token(id, vocab_size());
  return bytes_[static_cast<std::size_t>(id)];
}

std::string SentencePieceTokenizer::name(TokenId id) const {
  check_token(id, vocab_size());
  return file_.pieces[static_cast<std::size_t>(id)].text;
}

// ---- opening -------------------------------------------------------------------------------------------------------

std::unique_ptr<Tokenizer> parse_sentencepiece(std::string model, const std::string& name) {
  return std::make_unique<SentencePieceTokenizer>(std::move(model), name);
}

std::unique_ptr<Tokenizer> open_sentencepiece(const std::filesystem::path& model) {
  return parse_sentencepiece(read_text(disk(), model, kMaxModelBytes), model.string());
}

}  // namespace peerless
