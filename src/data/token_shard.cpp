#include "peerless/data/token_shard.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "peerless/base/error.h"
#include "src/data/token_shard_layout.h"

namespace peerless {
namespace {

using token_shard::bytes_of;
using token_shard::Head;
using token_shard::kEndMagic;
using token_shard::kMagic;
using token_shard::kVersion;
using token_shard::padded;
using token_shard::Trailer;

template <class T>
T read_at(const InputFile& file, std::uint64_t offset) {
  T value;
  file.read(offset, std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

std::vector<std::uint64_t> read_numbers(const InputFile& file, std::uint64_t offset, std::uint64_t bytes) {
  std::vector<std::uint64_t> numbers(bytes / sizeof(std::uint64_t));
  file.read(offset, std::as_writable_bytes(std::span(numbers)));
  return numbers;
}

std::string quoted(const std::array<char, 8>& magic) {
  return concat('"', printable(std::string_view(magic.data(), magic.size())), '"');
}

void check_sum(const std::filesystem::path& path, std::string_view what, std::uint64_t expected, std::uint64_t found) {
  if (expected == found) return;
  throw Error(ExitCode::data, path, ": damaged: checksum of the ", what, ": expected ", expected, ", found ", found);
}

template <class... Parts>
Error refusal(const std::filesystem::path& path, const Parts&... parts) {
  return Error(ExitCode::data, path, ": ", parts...);
}

void check_head(const std::filesystem::path& path, const Head& head) {
  const auto wrong = [&](const auto&... parts) { return refusal(path, "damaged head: ", parts...); };
  if (head.token_width != 2 && head.token_width != 4)
    throw wrong("token width ", head.token_width, ", expected 2 or 4");
  const auto limit = head.token_width == 2 ? 65536 : std::numeric_limits<std::int32_t>::max();
  const auto vocab = static_cast<std::int64_t>(head.vocab_size);
  if (vocab < 1 || vocab > limit) throw wrong("a vocabulary of ", vocab, " tokens, expected 1 to ", limit);
  for (const auto id : {head.bos, head.eos}) {
    if (id < -1 || id >= vocab) throw wrong("bos or eos ", id, " outside the vocabulary of ", vocab, " tokens");
  }
}

// Both, once all that they say of themselves is right.
std::pair<Head, Trailer> read_ends(const std::filesystem::path& path, const InputFile& file) {
  if (file.size() < sizeof(Head) + sizeof(Trailer)) {
    throw refusal(path, "truncated: ", file.size(), " bytes, a token shard has at least ",
                  sizeof(Head) + sizeof(Trailer));
  }
  const auto head = read_at<Head>(file, 0);
  const auto trailer = read_at<Trailer>(file, file.size() - sizeof(Trailer));
  if (head.magic != kMagic) {
    throw refusal(path, "not a token shard: expected it to begin with ", quoted(kMagic), ", found ",
                  quoted(head.magic));
  }
  if (head.version != kVersion) {
    throw refusal(path, "expected format version ", kVersion, ", found ", head.version,
                  ": written by another peerless");
  }
  if (trailer.magic != kEndMagic) {
    throw refusal(path, "truncated or unfinished: expected it to end with ", quoted(kEndMagic), ", found ",
                  quoted(trailer.magic));
  }
  check_sum(path, "trailer", trailer.own_checksum, token_shard::own_checksum(trailer));
  check_sum(path, "head", trailer.head_checksum, checksum(bytes_of(head)));
  check_head(path, head);
  if (trailer.num_tokens == 0 || trailer.num_documents == 0) throw refusal(path, "holds no tokens");
  return {head, trailer};
}

// Sizes in bytes of what lies between head and trailer, in its order.
struct Sections {
  std::uint64_t tokens, documents, table;
};

Sections sections_of(const std::filesystem::path& path, std::uint64_t size, const Head& head, const Trailer& trailer) {
  // Counts larger than the file would overflow the sizes below.
  const bool plausible = std::max(trailer.num_tokens, trailer.num_documents) <= size;
  const auto tokens = plausible ? padded(trailer.num_tokens * head.token_width) : 0;
  const auto documents = plausible ? padded(trailer.num_documents * 2 * sizeof(std::uint64_t)) : 0;
  const auto num_blocks = (tokens + TokenShard::kBlockBytes - 1) / TokenShard::kBlockBytes;
  const auto table = padded(num_blocks * sizeof(std::uint64_t));
  const auto expected = sizeof(Head) + tokens + documents + table + sizeof(Trailer);
  if (!plausible || size != expected) {
    throw refusal(path, "expected ", plausible ? concat(expected, " bytes") : "another size", " for ",
                  trailer.num_tokens, " tokens in ", trailer.num_documents, " documents, found ", size);
  }
  return {tokens, documents, table};
}

void check_documents(const std::filesystem::path& path, std::span<const std::uint64_t> documents,
                     const Trailer& trailer) {
  std::uint64_t raw_bytes = 0;
  bool overflow = false;
  for (std::uint64_t i = 0; i < trailer.num_documents; ++i) {
    const auto first = documents[2 * i];
    const bool follows = i == 0 ? first == 0 : first > documents[2 * i - 2];
    if (!follows || first >= trailer.num_tokens) throw refusal(path, "document ", i, " begins at token ", first);
    overflow = __builtin_add_overflow(raw_bytes, documents[2 * i + 1], &raw_bytes) || overflow;
  }
  if (overflow || raw_bytes > std::numeric_limits<std::int64_t>::max())
    throw refusal(path, "documents of too many bytes");
  if (raw_bytes != trailer.raw_bytes) {
    throw refusal(path, "expected documents of ", trailer.raw_bytes, " bytes, found ", raw_bytes);
  }
}

template <class Unsigned>
std::int64_t widen(const std::byte* tokens, std::span<std::int64_t> into) {
  std::int64_t largest = 0;
  for (std::size_t i = 0; i < into.size(); ++i) {
    Unsigned token;
    std::memcpy(&token, tokens + i * sizeof(Unsigned), sizeof(Unsigned));
    into[i] = token;
    largest = std::max(largest, into[i]);
  }
  return largest;
}

}  // namespace

TokenShard::TokenShard(const std::filesystem::path& file, const Files& files) : path_(file), file_(files.open(file)) {
  const auto [head, trailer] = read_ends(path_, *file_);
  const auto sections = sections_of(path_, file_->size(), head, trailer);
  tokens_size_ = sections.tokens;
  documents_ = read_numbers(*file_, sizeof(Head) + sections.tokens, sections.documents);
  checksums_ = read_numbers(*file_, sizeof(Head) + sections.tokens + sections.documents, sections.table);
  check_sum(path_, "documents", trailer.documents_checksum, checksum(std::as_bytes(std::span(documents_))));
  check_sum(path_, "block checksums", trailer.table_checksum, checksum(std::as_bytes(std::span(checksums_))));
  documents_.resize(2 * trailer.num_documents);
  check_documents(path_, documents_, trailer);

  width_ = head.token_width;
  num_tokens_ = trailer.num_tokens;
  raw_bytes_ = trailer.raw_bytes;
  digest_ = peerless::digest(bytes_of(trailer));
  const auto token = [](std::int32_t id) { return id < 0 ? std::nullopt : std::optional<TokenId>(id); };
  tokenizer_ = {{head.tokenizer_high, head.tokenizer_low}, head.vocab_size, token(head.bos), token(head.eos)};
  verified_ = std::make_unique<std::atomic<bool>[]>(checksums_.size());
}

std::uint64_t TokenShard::documents_before(std::uint64_t token) const {
  std::uint64_t low = 0, high = documents();
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    first_token(middle) < token ? low = middle + 1 : high = middle;
  }
  return low;
}

void TokenShard::check_blocks(std::uint64_t first_byte, std::uint64_t end_byte) const {
  std::vector<std::byte> bytes;
  for (auto block = first_byte / kBlockBytes; block * kBlockBytes < end_byte; ++block) {
    if (verified_[block].load(std::memory_order_relaxed)) continue;
    const auto begin = block * kBlockBytes;
    bytes.resize(std::min(kBlockBytes, tokens_size_ - begin));
    file_->read(sizeof(Head) + begin, bytes);
    check_sum(path_, concat("tokens in block ", block), checksums_[block], checksum(bytes));
    verified_[block].store(true, std::memory_order_relaxed);
  }
}

void TokenShard::copy(std::uint64_t first, std::span<std::int64_t> into) const {
  PEERLESS_CHECK(first + into.size() <= num_tokens_, "tokens ", first, " + ", into.size(), " of ", num_tokens_);
  check_blocks(first * width_, (first + into.size()) * width_);
  std::vector<std::byte> tokens(into.size() * width_);
  file_->read(sizeof(Head) + first * width_, tokens);
  const auto* const bytes = tokens.data();
  const auto largest = width_ == 2 ? widen<std::uint16_t>(bytes, into) : widen<std::uint32_t>(bytes, into);
  if (largest < tokenizer_.vocab_size) return;
  const auto bad = std::find_if(into.begin(), into.end(), [&](auto id) { return id >= tokenizer_.vocab_size; });
  throw Error(ExitCode::data, path_, ": token ", first + static_cast<std::uint64_t>(bad - into.begin()), " has the id ",
              *bad, ", outside the vocabulary of ", tokenizer_.vocab_size, " tokens");
}

void TokenShard::verify() const {
  std::vector<std::int64_t> buffer(1 << 16);
  for (std::uint64_t at = 0; at < num_tokens_; at += buffer.size()) {
    copy(at, std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), num_tokens_ - at)));
  }
  for (std::uint64_t i = 0; i < documents(); ++i) check_borders(i);
}

void TokenShard::check_borders(std::uint64_t document) const {
  const auto check = [&](std::string_view verb, std::uint64_t at, std::optional<TokenId> expected,
                         std::string_view name) {
    std::int64_t found = 0;
    copy(at, {&found, 1});
    if (!expected || found == *expected) return;
    throw refusal(path_, "document ", document, " ", verb, " with the token ", found, ", expected ", name, " ",
                  *expected);
  };
  check("begins", first_token(document), tokenizer_.bos, "bos");
  check("ends", end_token(document) - 1, tokenizer_.eos, "eos");
}

}  // namespace peerless
