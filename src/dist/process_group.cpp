#include "src/dist/process_group.h"

#include <torch/csrc/distributed/c10d/Work.hpp>

#include "peerless/base/error.h"

namespace peerless {
namespace {

class ProcessGroup final : public Communicator {
 public:
  ProcessGroup(Backends backends, std::chrono::milliseconds timeout)
      : backends_(std::move(backends)), timeout_(timeout) {}

  std::int64_t rank() const override { return backends_.host->getRank(); }
  std::int64_t world_size() const override { return backends_.host->getSize(); }
  void exchange(const Messages& sent, const Messages& received) override;

 private:
  // One tensor on its way from or to one peer. c10d wants vectors, which outlive the work.
  struct Transfer {
    std::int64_t peer;
    std::vector<at::Tensor> tensors;
    c10::intrusive_ptr<c10d::Work> work;
  };
  void wait(const Transfer& transfer) const;

  Backends backends_;
  std::chrono::milliseconds timeout_;
};

[[noreturn]] void fail(std::int64_t peer, const char* what) {
  throw Error(ExitCode::peer, "process ", peer, " does not answer: ", what);
}

void ProcessGroup::wait(const Transfer& transfer) const {
  try {
    transfer.work->wait(timeout_);
  } catch (const c10::Error& error) {
    fail(transfer.peer, error.what_without_backtrace());
  } catch (const std::exception& error) {
    fail(transfer.peer, error.what());
  }
}

void ProcessGroup::exchange(const Messages& sent, const Messages& received) {
  constexpr int kTag = 0;
  std::vector<Transfer> transfers;
  transfers.reserve(sent.size() + received.size());
  const auto start = [&](const Messages& messages, auto operation) {
    for (const auto& [peer, tensor] : messages) {
      if (tensor.numel() == 0) continue;
      c10d::Backend& backend = tensor.is_cpu() ? *backends_.host : *backends_.device;
      transfers.push_back({peer, {tensor}, nullptr});
      try {
        transfers.back().work = (backend.*operation)(transfers.back().tensors, static_cast<int>(peer), kTag);
      } catch (const std::exception& error) {
        fail(peer, error.what());
      }
    }
  };
  if (backends_.device) backends_.device->startCoalescing();
  start(received, &c10d::Backend::recv);
  start(sent, &c10d::Backend::send);
  if (backends_.device) {
    if (const auto all = backends_.device->endCoalescing()) all->wait(timeout_);
  }
  for (const auto& transfer : transfers)
    if (transfer.work) wait(transfer);
}

}  // namespace

std::unique_ptr<Communicator> process_group(Backends backends, std::chrono::milliseconds timeout) {
  return std::make_unique<ProcessGroup>(std::move(backends), timeout);
}

}  // namespace peerless
