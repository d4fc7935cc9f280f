// Peers that meet in the coordinator's store, beside all exchanges: on a thread of its own, a process may wait there
// for others as long as they live, and nobody takes it for one that stays away.
//
// Cost     of a text: a message to rank 0's host, or from it; an announcement stays in the store until the next collect
#pragma once

#include "peerless/base/peers.h"
#include "peerless/cluster/client.h"

namespace peerless::cluster {

class StorePeers final : public Peers {
 public:
  // Those of all processes that name their peers so. The client outlives them.
  StorePeers(Client& client, std::string name, std::int64_t rank, std::int64_t world_size);

  std::int64_t rank() const override { return rank_; }
  std::int64_t world_size() const override { return world_size_; }
  std::vector<std::string> collect(const std::string& here) override;
  std::string announce(const std::string& here) override;

 private:
  std::string key(std::uint64_t round, std::int64_t rank) const;

  Client& client_;
  std::string name_;
  std::int64_t rank_;
  std::int64_t world_size_;
  std::uint64_t round_ = 0;
  std::vector<std::string> announced_;  // keys that some may still have to read; of rank 0
};

}  // namespace peerless::cluster
