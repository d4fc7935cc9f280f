#include "peerless/train/staging.h"

#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>

#include "peerless/base/log.h"
#include "peerless/train/machine.h"

namespace peerless {
namespace {

// Where each begins: any element type may, and threads share no cache line.
std::int64_t aligned(std::int64_t bytes) {
  constexpr std::int64_t kAlignment = 64;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

void wait_for(at::Device device) {
  const c10::impl::VirtualGuardImpl guard(device.type());
  guard.synchronizeStream(guard.getStream(device));
}

}  // namespace

NamedTensors part_to_save(const NamedTensors& tensors, const Communicator& communicator) {
  std::vector<std::size_t> load(static_cast<std::size_t>(communicator.world_size()));
  NamedTensors part;
  std::int64_t copied = 0;
  for (const auto& named : tensors) {
    if (named.slice) {
      // Processes that hold equal copies take turns writing them. All count in the same way, so each knows whose turn
      // it is.
      const std::int64_t every = named.slice->copies_every;
      if (every == 0 || communicator.rank() / every == copied++ % (communicator.world_size() / every))
        part.push_back(named);
      continue;
    }
    const auto least = std::min_element(load.begin(), load.end());
    if (least - load.begin() == communicator.rank()) part.push_back(named);
    *least += named.tensor.nbytes();
  }
  return part;
}

std::int64_t Staging::bytes_for(const NamedTensors& tensors) {
  std::int64_t bytes = 0;
  for (const auto& named : tensors) bytes += aligned(static_cast<std::int64_t>(named.tensor.nbytes()));
  return bytes;
}

bool Staging::can_hold(const NamedTensors& tensors, std::int64_t processes_here) const {
  constexpr double kSpare = 1.1;
  if (memory_.defined()) return true;
  const auto bytes = static_cast<double>(bytes_for(tensors));
  const double needed = bytes * static_cast<double>(processes_here) * kSpare;
  const auto available = available_memory();
  if (!available || needed <= static_cast<double>(*available)) {
    log::info("checkpoints: a copy of ", human_bytes(bytes), " is written while training goes on");
    return true;
  }
  log::warning("checkpoint.mode: async needs ", human_bytes(needed), " of memory on this host, ",
               human_bytes(static_cast<double>(*available)), " are free: training waits for its saves instead");
  return false;
}

State Staging::copy(const NamedTensors& tensors) {
  const auto on_device = std::ranges::find_if(tensors, [](const auto& named) { return !named.tensor.is_cpu(); });
  const bool any_on_device = on_device != tensors.end();
  if (!memory_.defined())
    memory_ = at::empty({bytes_for(tensors)}, at::TensorOptions(at::kByte).pinned_memory(any_on_device));
  NamedTensors copies;
  std::int64_t begin = 0;
  for (const auto& [name, tensor, slice] : tensors) {
    const auto bytes = static_cast<std::int64_t>(tensor.nbytes());
    auto copy = memory_.narrow(0, begin, bytes).view(tensor.scalar_type()).view(tensor.sizes());
    copy.copy_(tensor.detach(), /*non_blocking=*/true);
    copies.push_back({name, copy, slice});
    begin += aligned(bytes);
  }
  if (any_on_device) wait_for(on_device->tensor.device());
  return to_state(copies);
}

}  // namespace peerless
