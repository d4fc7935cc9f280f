#include "peerless/train/replica_check.h"

#include <algorithm>

#include "peerless/base/error.h"
#include "peerless/base/hash.h"
#include "peerless/base/random.h"
#include "peerless/base/ranges.h"
#include "peerless/dist/collectives.h"

namespace peerless {
namespace {

constexpr std::int64_t kBytes = std::int64_t{64} << 20;

std::string digest_of(const at::Tensor& tensor, std::int64_t step) {
  const std::int64_t size = std::max<std::int64_t>(1, kBytes / static_cast<std::int64_t>(tensor.element_size()));
  const std::int64_t pieces = std::max<std::int64_t>(1, (tensor.numel() + size - 1) / size);
  const auto piece =
      static_cast<std::int64_t>(mix(static_cast<std::uint64_t>(step), "piece") % static_cast<std::uint64_t>(pieces));
  const std::int64_t begin = piece * size, end = std::min(tensor.numel(), begin + size);
  const auto host = tensor.detach().view(-1).slice(0, begin, end).to(at::kCPU);
  Hasher hasher;
  hasher.update({static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()});
  return hasher.digest().hex();
}

// "0-1 | 2": those that agree beside each other.
std::string groups(const RanksByText& by_digest) {
  std::vector<std::string> texts;
  for (const auto& [digest, ranks] : by_digest) texts.push_back(ranges(ranks));
  return join(texts, " | ");
}

}  // namespace

void check_replicas(Communicator& communicator, const NamedTensors& tensors, std::int64_t step) {
  if (communicator.world_size() == 1) return;
  std::vector<const NamedTensor*> compared;
  std::string digests;
  for (const auto& named : tensors) {
    if (named.slice && named.slice->copies_every == 0) continue;
    compared.push_back(&named);
    digests += digest_of(named.tensor, step) + "\n";
  }
  std::vector<std::vector<std::string>> by_rank;
  for (const auto& text : gather(communicator, digests)) by_rank.push_back(split(text, '\n'));
  std::string lines;
  for (std::size_t i = 0; i < compared.size(); ++i) {
    const auto& slice = compared[i]->slice;
    const std::size_t every = slice ? static_cast<std::size_t>(slice->copies_every) : 1;
    for (std::size_t first = 0; first < every; ++first) {
      RanksByText by_digest;
      for (std::size_t r = first; r < by_rank.size(); r += every)
        add_rank(by_digest, by_rank[r].at(i), static_cast<std::int64_t>(r));
      if (by_digest.size() > 1) lines += concat("\n  ", compared[i]->name, ": ", groups(by_digest));
    }
  }
  if (lines.empty()) return;
  throw SharedError(ExitCode::internal,
                    "processes that should hold the same numbers do not; equal ones stand together:", lines,
                    "\na resume goes on from the newest checkpoint; if it happens again, suspect the memory of a host");
}

}  // namespace peerless
