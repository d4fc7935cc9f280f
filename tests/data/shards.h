// Shards for the tests of this room.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "peerless/base/error.h"
#include "peerless/base/random.h"
#include "peerless/data/token_shard.h"
#include "tests/support/complaint.h"

namespace peerless {

using Path = std::filesystem::path;
using test::complaint;
using Documents = std::vector<std::vector<TokenId>>;

inline constexpr TokenId kBos = 1, kEos = 2;

inline TokenizerInfo tokenizer_of(std::int64_t vocab_size) {
  return {{7, vocab_size == 100 ? 8u : 9u}, vocab_size, kBos, kEos};
}

// Documents of `lengths` tokens, bos and eos included; the tokens between count up from 3.
inline Documents counting_documents(const std::vector<std::size_t>& lengths, TokenId below = 100) {
  Documents documents;
  TokenId next = 3;
  for (const auto length : lengths) {
    std::vector<TokenId> document = {kBos};
    while (document.size() + 1 < length) {
      document.push_back(next);
      next = next + 1 == below ? 3 : next + 1;
    }
    document.push_back(kEos);
    documents.push_back(document);
  }
  return documents;
}

inline std::vector<std::size_t> random_lengths(std::size_t count, std::size_t longest, std::uint64_t seed = 1) {
  const RandomStream random(seed, 3);
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < count; ++i) lengths.push_back(2 + random.below(longest - 1, i));
  return lengths;
}

// A shard whose documents had ten bytes per token.
inline Digest write_shard(const Path& file, const Documents& documents,
                          const TokenizerInfo& tokenizer = tokenizer_of(100)) {
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
  TokenShardWriter writer(disk(), file, tokenizer);
  for (const auto& document : documents) writer.add(document, 10 * document.size());
  return writer.finish();
}

inline std::vector<std::int64_t> concatenated(const Documents& documents) {
  std::vector<std::int64_t> tokens;
  for (const auto& document : documents) tokens.insert(tokens.end(), document.begin(), document.end());
  return tokens;
}

inline std::string slurp(const Path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void spill(const Path& file, std::string_view bytes) {
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace peerless
