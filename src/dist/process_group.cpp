#include "src/dist/process_group.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include "peerless/base/error.h"
#include "peerless/dist/collectives.h"

namespace peerless {
namespace {

constexpr std::chrono::seconds kVerdict{5};  // of the coordinator, about who is to blame

struct Backends {
  Backend host;    // moves CPU tensors
  Backend device;  // moves those of a GPU; null without one
  at::Device on = at::kCPU;
};

class ProcessGroup final : public Communicator {
 public:
  // `connect` makes the backends of a channel, of which the host's is shared: there a tag tells them apart.
  using Connect = std::function<Backends(int channel)>;
  ProcessGroup(Connect connect, cluster::Client& client, std::chrono::milliseconds timeout, int channel = 0)
      : connect_(std::move(connect)),
        backends_(connect_(channel)),
        client_(client),
        timeout_(timeout),
        channel_(channel) {}

  std::int64_t rank() const override { return backends_.host->getRank(); }
  std::int64_t world_size() const override { return backends_.host->getSize(); }
  void exchange(const Messages& sent, const Messages& received) override;
  void set_activity(std::string activity) override { client_.set_activity(std::move(activity)); }
  std::unique_ptr<Communicator> channel() override {
    TORCH_CHECK(channel_ == 0, "a channel of a channel would have the number of another");
    return std::make_unique<ProcessGroup>(connect_, client_, timeout_, ++last_channel_);
  }
  void close() override;

 private:
  // One tensor on its way from or to one peer. c10d wants vectors, which outlive the work.
  struct Transfer {
    std::int64_t peer;
    std::vector<at::Tensor> tensors;
    c10::intrusive_ptr<c10d::Work> work;
  };
  using Operation = c10::intrusive_ptr<c10d::Work> (c10d::Backend::*)(std::vector<at::Tensor>&, int, int);
  void start_all(const Messages& messages, Operation operation, bool on_host, std::vector<Transfer>& transfers);
  template <class Work>
  void blame(std::int64_t peer, Work work) const;
  void exchange_on_device(const Messages& sent, const Messages& received);
  [[noreturn]] void fail(std::int64_t peer, const char* what) const;

  Connect connect_;
  Backends backends_;
  cluster::Client& client_;
  std::chrono::milliseconds timeout_;
  int channel_, last_channel_ = 0;
};

// An exchange fails with whom it could not reach; the coordinator knows whose fault that is.
void ProcessGroup::fail(std::int64_t peer, const char* what) const {
  client_.report_lost(peer, what);
  const auto loss = client_.wait_for_loss(kVerdict);
  throw Error(ExitCode::peer, loss ? loss->text() : concat("rank ", peer, " is lost: ", what));
}

// What goes wrong in `work` is the peer's fault, as far as can be seen from here.
template <class Work>
void ProcessGroup::blame(std::int64_t peer, Work work) const {
  try {
    work();
  } catch (const c10::Error& error) {
    fail(peer, error.what_without_backtrace());
  } catch (const std::exception& error) {
    fail(peer, error.what());
  }
}

void ProcessGroup::exchange(const Messages& sent, const Messages& received) {
  client_.count_exchange();
  std::vector<Transfer> transfers;
  start_all(received, &c10d::Backend::recv, /*on_host=*/true, transfers);
  start_all(sent, &c10d::Backend::send, /*on_host=*/true, transfers);
  for (const auto& transfer : transfers) blame(transfer.peer, [&] { transfer.work->wait(timeout_); });
  if (backends_.device) exchange_on_device(sent, received);
}

// In stream order, all at once, as each alone could wait for another. NCCL's own watchdog knows the timeout.
void ProcessGroup::exchange_on_device(const Messages& sent, const Messages& received) {
  std::vector<Transfer> transfers;
  try {
    backends_.device->startCoalescing();
    start_all(received, &c10d::Backend::recv, /*on_host=*/false, transfers);
    start_all(sent, &c10d::Backend::send, /*on_host=*/false, transfers);
    const auto all = backends_.device->endCoalescing();
    if (all && !transfers.empty()) all->wait();
  } catch (const c10::Error& error) {
    // It does not say who is gone, and this process need not be the first to notice.
    const auto loss = client_.wait_for_loss(kVerdict);
    throw Error(ExitCode::peer, loss ? loss->text() : concat("NCCL: ", error.what_without_backtrace()));
  }
}

// A process that ended earlier would take with it what others are still to receive; and launchers have little patience
// with one that ends much later than the others.
void ProcessGroup::close() {
  if (backends_.device) c10::impl::VirtualGuardImpl(backends_.on.type()).synchronizeDevice(backends_.on.index());
  any(*this, false);  // all have come so far
  if (backends_.device) backends_.device->shutdown();
}

void ProcessGroup::start_all(const Messages& messages, Operation operation, bool on_host,
                             std::vector<Transfer>& transfers) {
  for (const auto& [peer, tensor] : messages) {
    if (tensor.numel() == 0 || tensor.is_cpu() != on_host) continue;
    c10d::Backend& backend = on_host ? *backends_.host : *backends_.device;
    auto& transfer = transfers.emplace_back(Transfer{peer, {tensor}, nullptr});
    blame(peer, [&] { transfer.work = (backend.*operation)(transfer.tensors, static_cast<int>(peer), channel_); });
  }
}

}  // namespace

std::unique_ptr<Communicator> process_group(const Store& store, cluster::Client& client, const std::string& address,
                                            const Launch& launch, const JoinOptions& options) {
  // Those of the backends are the last resort: the coordinator first finds out who keeps the others waiting.
  const auto timeout = options.timeout + std::chrono::seconds(4);
  const auto connect = [=, device = options.device(), rank = launch.rank, size = launch.world_size,
                        host = Backend()](int channel) mutable {
    if (!host) host = make_gloo(store, rank, size, address, timeout);
    Backends backends{.host = host, .device = nullptr, .on = device};
    if (!device.is_cpu()) {
      const Store of_its_own = c10::make_intrusive<c10d::PrefixStore>(concat("device", channel), store);
      backends.device = make_nccl(of_its_own, rank, size, address, timeout);
    }
    return backends;
  };
  try {
    return std::make_unique<ProcessGroup>(connect, client, timeout);
  } catch (const c10::Error& error) {
    throw Error(ExitCode::peer, "the ", launch.world_size,
                " processes cannot connect to each other: ", error.what_without_backtrace());
  } catch (const std::exception& error) {
    if (dynamic_cast<const Error*>(&error)) throw;
    throw Error(ExitCode::peer, "the ", launch.world_size, " processes cannot connect to each other: ", error.what());
  }
}

}  // namespace peerless
