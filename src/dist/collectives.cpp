#include "peerless/dist/collectives.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "peerless/base/error.h"

namespace peerless {
namespace {

using Tensors = std::vector<at::Tensor>;

Tensors shares_of(const at::Tensor& flat, std::int64_t world_size) {
  Tensors shares;
  for (std::int64_t r = 0; r < world_size; ++r) shares.push_back(share_of(flat, r, world_size));
  return shares;
}

// What every process holds, by rank: [W, n].
at::Tensor gather_equal(Communicator& communicator, const at::Tensor& here) {
  const auto all = at::empty({communicator.world_size(), here.numel()}, here.options());
  all[communicator.rank()].copy_(here);
  all_gather(communicator, all.flatten());
  return all;
}

}  // namespace

at::Tensor share_of(const at::Tensor& flat, std::int64_t rank, std::int64_t world_size) {
  const std::int64_t n = flat.numel(), size = (n + world_size - 1) / world_size;
  const std::int64_t first = std::min(n, rank * size);
  return flat.narrow(0, first, std::min(size, n - first));
}

void tree_sum(const Tensors& parts) {
  for (std::size_t stride = 1; stride < parts.size(); stride *= 2)
    for (std::size_t i = 0; i + stride < parts.size(); i += 2 * stride) parts[i].add_(parts[i + stride]);
}

void reduce_scatter(Communicator& communicator, const at::Tensor& flat) {
  const auto rank = static_cast<std::size_t>(communicator.rank());
  const auto mine = share_of(flat, communicator.rank(), communicator.world_size());
  auto to = shares_of(flat, communicator.world_size());
  const auto room = at::empty({communicator.world_size(), mine.numel()}, flat.options());
  Tensors from = room.unbind(0);
  to[rank] = from[rank] = mine;
  communicator.exchange(to, from);
  tree_sum(from);
  if (rank != 0) mine.copy_(from[0]);
}

void all_gather(Communicator& communicator, const at::Tensor& flat) {
  const Tensors shares = shares_of(flat, communicator.world_size());
  communicator.exchange(Tensors(shares.size(), shares[static_cast<std::size_t>(communicator.rank())]), shares);
}

void sum(Communicator& communicator, const at::Tensor& flat) {
  if (communicator.world_size() == 1) return;
  reduce_scatter(communicator, flat);
  all_gather(communicator, flat);
}

bool any(Communicator& communicator, bool here) {
  if (communicator.world_size() == 1) return here;
  return gather_equal(communicator, at::full({1}, here, at::kByte)).any().item<bool>();
}

std::vector<std::string> gather(Communicator& communicator, const std::string& here) {
  if (communicator.world_size() == 1) return {here};
  const auto size = static_cast<std::int64_t>(here.size());
  const auto sizes = gather_equal(communicator, at::full({1}, size, at::kLong)).flatten();
  const auto bytes = at::empty({size}, at::kByte);
  std::memcpy(bytes.mutable_data_ptr(), here.data(), here.size());
  Tensors from;
  for (std::int64_t r = 0; r < communicator.world_size(); ++r)
    from.push_back(r == communicator.rank() ? bytes : at::empty({sizes[r].item<std::int64_t>()}, at::kByte));
  communicator.exchange(Tensors(from.size(), bytes), from);
  std::vector<std::string> all;
  for (const auto& text : from)
    all.emplace_back(static_cast<const char*>(text.const_data_ptr()), static_cast<std::size_t>(text.numel()));
  return all;
}

void together(Communicator& communicator, const std::function<void()>& work) {
  std::optional<Error> mine;
  try {
    work();
  } catch (const Error& error) {
    mine = error;
  }
  const auto outcomes = gather(communicator, mine ? concat(static_cast<int>(mine->code()), " ", mine->what()) : "");
  if (mine) throw *mine;
  for (std::size_t r = 0; r < outcomes.size(); ++r) {
    if (outcomes[r].empty()) continue;
    const auto space = outcomes[r].find(' ');
    throw Error(static_cast<ExitCode>(std::stoi(outcomes[r])), "process ", r, ": ", outcomes[r].substr(space + 1));
  }
}

}  // namespace peerless
