// Processes as threads of a test, which tell each other texts.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "peerless/base/peers.h"

namespace peerless::test {

class LocalPeers {
 public:
  explicit LocalPeers(std::size_t size) : size_(size) {}

  class Member final : public Peers {
   public:
    Member(LocalPeers& all, std::size_t rank) : all_(all), rank_(rank) {}
    std::int64_t rank() const override { return static_cast<std::int64_t>(rank_); }
    std::int64_t world_size() const override { return static_cast<std::int64_t>(all_.size_); }
    std::vector<std::string> collect(const std::string& here) override {
      const auto all = all_.exchange(rank_, here);
      return rank_ == 0 ? all : std::vector<std::string>();
    }
    std::string announce(const std::string& here) override { return all_.exchange(rank_, here).front(); }

   private:
    LocalPeers& all_;
    std::size_t rank_;
  };

 private:
  // What all say, by rank, once all have.
  std::vector<std::string> exchange(std::size_t rank, const std::string& here) {
    std::unique_lock lock(mutex_);
    said_.resize(size_);
    said_[rank] = here;
    const auto round = round_;
    if (++count_ == size_) {
      ++round_;
      count_ = 0;
      complete_ = std::exchange(said_, {});
    }
    changed_.notify_all();
    changed_.wait(lock, [&] { return round_ != round; });
    return complete_;
  }

  std::size_t size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> said_, complete_;
  std::size_t count_ = 0, round_ = 0;
};

// Calls `work` once for each of `size` ranks, all at a time.
inline void with_peers(std::size_t size, const std::function<void(Peers&)>& work) {
  LocalPeers all(size);
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      LocalPeers::Member member(all, rank);
      work(member);
    });
  for (auto& thread : threads) thread.join();
}

}  // namespace peerless::test
