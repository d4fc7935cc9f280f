#include "peerless/dist/communicator.h"

#include <c10/util/Exception.h>

#include <algorithm>

namespace peerless {
namespace {

class SingleProcess final : public Communicator {
 public:
  std::int64_t rank() const override { return 0; }
  std::int64_t world_size() const override { return 1; }
  void exchange(const Messages& /*sent*/, const Messages& /*received*/) override {}
  std::unique_ptr<Communicator> channel() override { return std::make_unique<SingleProcess>(); }
};

}  // namespace

Subset::Subset(Communicator& all, std::vector<std::int64_t> ranks) : all_(all), ranks_(std::move(ranks)) {
  const auto here = std::find(ranks_.begin(), ranks_.end(), all.rank());
  TORCH_CHECK(here != ranks_.end(), "a process is not in its own group");
  rank_ = here - ranks_.begin();
}

void Subset::exchange(const Messages& sent, const Messages& received) {
  const auto to_ranks_of_all = [this](Messages messages) {
    for (auto& message : messages) message.peer = ranks_.at(static_cast<std::size_t>(message.peer));
    return messages;
  };
  all_.exchange(to_ranks_of_all(sent), to_ranks_of_all(received));
}

std::unique_ptr<Communicator> Subset::channel() {
  auto all = all_.channel();
  auto subset = std::make_unique<Subset>(*all, ranks_);
  subset->owned_ = std::move(all);
  return subset;
}

std::vector<std::int64_t> group_of(const Communicator& all, std::int64_t size) {
  std::vector<std::int64_t> ranks;
  for (std::int64_t r = all.rank() / size * size; static_cast<std::int64_t>(ranks.size()) < size; ++r)
    ranks.push_back(r);
  return ranks;
}

std::unique_ptr<Communicator> channel_of_group(Communicator& all, std::int64_t size) {
  return size == 1 ? nullptr : Subset(all, group_of(all, size)).channel();
}

std::vector<std::int64_t> copies_of(const Communicator& all, std::int64_t size) {
  std::vector<std::int64_t> ranks;
  for (std::int64_t r = all.rank() % size; r < all.world_size(); r += size) ranks.push_back(r);
  return ranks;
}

Communicator& alone() {
  static SingleProcess process;
  return process;
}

}  // namespace peerless
