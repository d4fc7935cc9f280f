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
  using Operation = c10::intrusive_ptr<c10d::Work> (c10d::Backend::*)(std::vector<at::Tensor>&, int, int);
  void start_all(const Messages& messages, Operation operation, bool on_host, std::vector<Transfer>& transfers);
  void wait(std::int64_t peer, c10d::Work& work) const;

  Backends backends_;
  std::chrono::milliseconds timeout_;
};

[[noreturn]] void fail(std::int64_t peer, const char* what) {
  throw Error(ExitCode::peer, "process ", peer, " does not answer: ", what);
}

void ProcessGroup::wait(std::int64_t peer, c10d::Work& work) const {
  try {
    work.wait(timeout_);
  } catch (const c10::Error& error) {
    fail(peer, error.what_without_backtrace());
  } catch (const std::exception& error) {
    fail(peer, error.what());
  }
}

void ProcessGroup::exchange(const Messages& sent, const Messages& received) {
  std::vector<Transfer> transfers;
  transfers.reserve(sent.size() + received.size());
  const auto start = [&](bool on_host) {
    start_all(received, &c10d::Backend::recv, on_host, transfers);
    start_all(sent, &c10d::Backend::send, on_host, transfers);
  };
  start(/*on_host=*/true);
  for (const auto& transfer : transfers) wait(transfer.peer, *transfer.work);
  if (!backends_.device) return;
  transfers.clear();
  backends_.device->startCoalescing();  // of them all, as each alone could wait for another
  start(/*on_host=*/false);
  const auto all = backends_.device->endCoalescing();
  if (all && !transfers.empty()) all->wait();  // in stream order; NCCL's own watchdog knows the timeout
}

void ProcessGroup::start_all(const Messages& messages, Operation operation, bool on_host,
                             std::vector<Transfer>& transfers) {
  constexpr int kTag = 0;
  for (const auto& [peer, tensor] : messages) {
    if (tensor.numel() == 0 || tensor.is_cpu() != on_host) continue;
    c10d::Backend& backend = on_host ? *backends_.host : *backends_.device;
    auto& transfer = transfers.emplace_back(Transfer{peer, {tensor}, nullptr});
    try {
      transfer.work = (backend.*operation)(transfer.tensors, static_cast<int>(peer), kTag);
    } catch (const std::exception& error) {
      fail(peer, error.what());
    }
  }
}

}  // namespace

std::unique_ptr<Communicator> process_group(Backends backends, std::chrono::milliseconds timeout) {
  return std::make_unique<ProcessGroup>(std::move(backends), timeout);
}

}  // namespace peerless
