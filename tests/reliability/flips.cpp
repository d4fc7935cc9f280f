// A checkpoint cut at every byte of each of its files, and with single bits flipped: it is refused, and the one before
// it is found. Of a checkpoint of 13 KB every cut and, unless --count says how many, 20,000 bits; more than 20,000 are
// those of one of 200 KB, each once, drawn by chance.
#include <algorithm>
#include <numeric>

#include "tests/reliability/campaign.h"
#include "tests/reliability/small_training.h"
#include "tests/support/memory_files.h"

namespace peerless::reliability {
namespace {

// Steps 1 and 2; the bytes of step 2 in a row.
class Target {
 public:
  explicit Target(std::int64_t rows) : rows_(rows) {
    NoPeers alone;
    live({.folder = kFolder, .saves = 2, .rows = rows}, files_, alone);
    for (const auto& [file, content] : files_.tree(std::filesystem::path(kFolder) / step_name(2))) {
      paths_.push_back(file);
      size_ += content.size();
    }
  }
  std::uint64_t size() const { return size_; }

  void flip(std::uint64_t bit, Result& result) {
    const auto [content, byte] = at(bit / 8);
    const auto flip = [&] { (*content)[byte] = static_cast<char>((*content)[byte] ^ (1 << bit % 8)); };
    flip();
    expect_the_one_before(concat("bit ", bit), result);
    flip();
  }
  // Its file ends before that byte.
  void cut(std::uint64_t byte, Result& result) {
    const auto [content, size] = at(byte);
    const auto rest = content->substr(size);
    content->resize(size);
    expect_the_one_before(concat("cut at ", byte), result);
    *content += rest;
  }

 private:
  static constexpr const char* kFolder = "/run/checkpoints";

  std::pair<std::string*, std::uint64_t> at(std::uint64_t byte) {
    for (const auto& path : paths_) {
      auto& content = files_.content(path);
      if (byte < content.size()) return {&content, byte};
      byte -= content.size();
    }
    throw Error(ExitCode::internal, "no such byte");
  }

  void expect_the_one_before(const std::string& what, Result& result) {
    ++result.trials;
    try {
      if (loadable(CheckpointFolder(files_, kFolder), rows_) == 1) return;
      ++result.lost;
      result.failures.push_back(concat(what, " is not noticed"));
    } catch (const Error& error) {
      ++result.unloadable;
      result.failures.push_back(concat(what, ": ", error.what()));
    }
  }

  std::int64_t rows_;
  MemoryFiles files_;
  std::vector<std::filesystem::path> paths_;
  std::uint64_t size_ = 0;
};

}  // namespace

Results flips(const Request& request) {
  constexpr std::uint64_t kDrawn = 20'000;
  constexpr std::int64_t kLarge = 780;
  const auto wanted = request.count > 0 ? static_cast<std::uint64_t>(request.count) : kDrawn;
  Target target(wanted > kDrawn ? kLarge : kRows);
  Result cuts{"flips", "checkpoint cut short", request.seed}, flips{"flips", "checkpoint, a bit", request.seed};
  if (wanted <= kDrawn)
    for (std::uint64_t byte = 0; byte < target.size(); ++byte) target.cut(byte, cuts);
  std::vector<std::uint64_t> bits(8 * target.size());
  std::iota(bits.begin(), bits.end(), std::uint64_t{0});
  std::shuffle(bits.begin(), bits.end(), Random(request.seed));
  bits.resize(std::min<std::uint64_t>(bits.size(), wanted));
  for (const auto bit : bits) target.flip(bit, flips);
  return {cuts, flips};
}

}  // namespace peerless::reliability
