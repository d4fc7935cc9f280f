#include "peerless/cluster/store_peers.h"

#include <utility>

namespace peerless::cluster {
namespace {

constexpr std::chrono::hours kForAsLongAsTheyLive{24 * 365};

}  // namespace

StorePeers::StorePeers(Client& client, std::string name, std::int64_t rank, std::int64_t world_size)
    : client_(client), name_(std::move(name)), rank_(rank), world_size_(world_size) {}

std::vector<std::string> StorePeers::collect(const std::string& here) {
  ++round_;
  if (rank_ != 0) {
    client_.set(key(round_, rank_), here);
    return {};
  }
  std::vector<std::string> all{here};
  for (std::int64_t rank = 1; rank < world_size_; ++rank) {
    all.push_back(client_.get(key(round_, rank), kForAsLongAsTheyLive));
    client_.remove(key(round_, rank));
  }
  for (const auto& read : std::exchange(announced_, {})) client_.remove(read);
  return all;
}

std::string StorePeers::announce(const std::string& here) {
  ++round_;
  if (rank_ != 0) return client_.get(key(round_, 0), kForAsLongAsTheyLive);
  announced_.push_back(key(round_, 0));
  client_.set(announced_.back(), here);
  return here;
}

std::string StorePeers::key(std::uint64_t round, std::int64_t rank) const {
  return concat(name_, "/", round, "/", rank);
}

}  // namespace peerless::cluster
