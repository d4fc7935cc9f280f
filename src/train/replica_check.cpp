#include "peerless/train/replica_check.h"

#include <algorithm>

#include "peerless/base/error.h"
#include "peerless/base/hash.h"
#include "peerless/base/random.h"
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

// "0, 1 | 2": those that agree beside each other.
std::string groups(const std::vector<std::string>& digests) {
  std::vector<std::pair<std::string, std::string>> members;
  for (std::size_t r = 0; r < digests.size(); ++r) {
    const auto known =
        std::find_if(members.begin(), members.end(), [&](const auto& group) { return group.first == digests[r]; });
    if (known == members.end())
      members.emplace_back(digests[r], std::to_string(r));
    else
      known->second += concat(", ", r);
  }
  std::vector<std::string> texts;
  for (const auto& [digest, ranks] : members) texts.push_back(ranks);
  return join(texts, " | ");
}

}  // namespace

void check_replicas(Communicator& communicator, const NamedTensors& tensors, std::int64_t step) {
  if (communicator.world_size() == 1) return;
  std::vector<std::string> names;
  std::string digests;
  for (const auto& [name, tensor, slice] : tensors) {
    if (slice) continue;
    names.push_back(name);
    digests += digest_of(tensor, step) + "\n";
  }
  const auto all = gather(communicator, digests);
  if (std::all_of(all.begin(), all.end(), [&](const auto& other) { return other == all.front(); })) return;

  std::vector<std::vector<std::string>> by_rank;
  for (const auto& text : all) by_rank.push_back(split(text, '\n'));
  std::string lines;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::vector<std::string> of_tensor;
    for (const auto& rank : by_rank) of_tensor.push_back(rank.at(i));
    if (std::adjacent_find(of_tensor.begin(), of_tensor.end(), std::not_equal_to<>()) != of_tensor.end())
      lines += concat("\n  ", names[i], ": ", groups(of_tensor));
  }
  throw SharedError(ExitCode::internal,
                    "processes that should hold the same numbers do not; equal ones stand together:", lines,
                    "\na resume goes on from the newest checkpoint; if it happens again, suspect the memory of a host");
}

}  // namespace peerless
