// A checkpoint and a token shard cut at every byte of each of their files, and with single bits flipped: the checkpoint
// is refused, and the one before it found; the shard is refused before a token of it is used. Of 13 KB every cut and,
// unless --count says how many, 20,000 bits; more than 20,000 are those of 200 KB, each once, drawn by chance.
#include <algorithm>
#include <functional>
#include <numeric>

#include "peerless/data/token_shard.h"
#include "tests/reliability/campaign.h"
#include "tests/reliability/small_training.h"
#include "tests/support/memory_files.h"

namespace peerless::reliability {
namespace {

using Path = std::filesystem::path;

// What is damaged: the bytes of some files in a row, and what must be said of them while they are.
class Target {
 public:
  virtual ~Target() = default;
  std::uint64_t size() const { return size_; }

  void flip(std::uint64_t bit, Result& result) {
    const auto [content, byte] = at(bit / 8);
    const auto flip = [&] { (*content)[byte] = static_cast<char>((*content)[byte] ^ (1 << bit % 8)); };
    flip();
    judge(concat("bit ", bit), result);
    flip();
  }
  // Its file ends before that byte.
  void cut(std::uint64_t byte, Result& result) {
    const auto [content, size] = at(byte);
    const auto rest = content->substr(size);
    content->resize(size);
    judge(concat("cut at ", byte), result);
    *content += rest;
  }

 protected:
  MemoryFiles files_;
  void damage(const Path& folder) {
    for (const auto& [file, content] : files_.tree(folder)) {
      paths_.push_back(file);
      size_ += content.size();
    }
  }
  virtual bool notices() = 0;  // or Error: it cannot go on without what is damaged

 private:
  std::pair<std::string*, std::uint64_t> at(std::uint64_t byte) {
    for (const auto& path : paths_) {
      auto& content = files_.content(path);
      if (byte < content.size()) return {&content, byte};
      byte -= content.size();
    }
    throw Error(ExitCode::internal, "no such byte");
  }
  void judge(const std::string& what, Result& result) {
    ++result.trials;
    try {
      if (notices()) return;
      ++result.lost;
      result.failures.push_back(concat(what, " is not noticed"));
    } catch (const Error& error) {
      ++result.unloadable;
      result.failures.push_back(concat(what, ": ", error.what()));
    }
  }

  std::vector<Path> paths_;
  std::uint64_t size_ = 0;
};

// Step 2; step 1 is whole.
class DamagedCheckpoint : public Target {
 public:
  explicit DamagedCheckpoint(std::uint64_t bytes) : rows_(static_cast<std::int64_t>(bytes) / 8 / kColumns) {
    NoPeers alone;
    live({.folder = kFolder, .saves = 2, .rows = rows_}, files_, alone);
    damage(Path(kFolder) / step_name(2));
  }

 private:
  static constexpr const char* kFolder = "/run/checkpoints";

  bool notices() override { return loadable(CheckpointFolder(files_, kFolder), rows_) == 1; }

  std::int64_t rows_;
};

class DamagedShard : public Target {
 public:
  explicit DamagedShard(std::uint64_t bytes) {
    files_.make_folder("/data");
    TokenShardWriter writer(files_, kFile, {.digest = {1, 2}, .vocab_size = kVocabulary, .bos = 0, .eos = 1});
    const auto token = [](std::uint64_t i) { return static_cast<TokenId>(2 + mix(1, i) % (kVocabulary - 2)); };
    for (std::uint64_t i = 0; i < bytes / (2 * kLength); ++i) {
      std::vector<TokenId> document(kLength, 0);
      for (std::uint64_t j = 1; j + 1 < kLength; ++j) document[j] = token(i * kLength + j);
      document.back() = 1;
      writer.add(document, 4 * kLength);
    }
    writer.finish();
    damage("/data");
  }

 private:
  static constexpr const char* kFile = "/data/00000.tok";
  static constexpr TokenId kVocabulary = 30'000;
  static constexpr std::uint64_t kLength = 100;

  bool notices() override {
    try {
      const TokenShard shard(kFile, files_);
      std::vector<std::int64_t> tokens(shard.tokens());
      shard.copy(0, tokens);
      return false;
    } catch (const Error& error) {
      if (error.code() != ExitCode::data) throw;
      return true;
    }
  }
};

// The cuts and the flips of one of few bytes; or the flips alone of one of many.
template <class Damaged>
void damage(const char* name, const Request& request, Results& results) {
  constexpr std::uint64_t kDrawn = 20'000, kFewBytes = 12 << 10, kManyBytes = 195 << 10;
  const auto wanted = request.count > 0 ? static_cast<std::uint64_t>(request.count) : kDrawn;
  Damaged target(wanted > kDrawn ? kManyBytes : kFewBytes);
  if (wanted <= kDrawn) {
    auto& cuts = results.emplace_back("flips", concat(name, " cut short"), request.seed);
    for (std::uint64_t byte = 0; byte < target.size(); ++byte) target.cut(byte, cuts);
  }
  std::vector<std::uint64_t> bits(8 * target.size());
  std::iota(bits.begin(), bits.end(), std::uint64_t{0});
  std::shuffle(bits.begin(), bits.end(), Random(request.seed));
  bits.resize(std::min<std::uint64_t>(bits.size(), wanted));
  auto& flips = results.emplace_back("flips", concat(name, ", a bit"), request.seed);
  for (const auto bit : bits) target.flip(bit, flips);
}

}  // namespace

Results flips(const Request& request) {
  Results results;
  damage<DamagedCheckpoint>("checkpoint", request, results);
  damage<DamagedShard>("token shard", request, results);
  return results;
}

}  // namespace peerless::reliability
