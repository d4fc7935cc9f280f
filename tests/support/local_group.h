// Processes of a group as threads of a test.
#pragma once

#include <gtest/gtest.h>

#include <barrier>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "peerless/dist/communicator.h"

namespace peerless::test {

// What threads that meet at a barrier hand to each other.
class LocalGroup {
 public:
  explicit LocalGroup(std::int64_t size) : posts_(static_cast<std::size_t>(size)), barrier_(size) {}

  // The group of the processes' channel of that number, made by who asks first.
  LocalGroup& channel(std::size_t number) {
    const std::lock_guard lock(mutex_);
    while (channels_.size() <= number)
      channels_.push_back(std::make_unique<LocalGroup>(static_cast<std::int64_t>(posts_.size())));
    return *channels_[number];
  }

  class Member final : public Communicator {
   public:
    Member(LocalGroup& group, std::int64_t rank) : group_(group), rank_(rank) {}
    std::int64_t rank() const override { return rank_; }
    std::int64_t world_size() const override { return static_cast<std::int64_t>(group_.posts_.size()); }
    void exchange(const Messages& sent, const Messages& received) override {
      group_.posts_[static_cast<std::size_t>(rank_)] = &sent;
      group_.barrier_.arrive_and_wait();
      std::vector<std::size_t> next(group_.posts_.size());  // of each peer's messages
      for (const auto& [peer, tensor] : received) {
        const auto& theirs = *group_.posts_[static_cast<std::size_t>(peer)];
        auto& i = next[static_cast<std::size_t>(peer)];
        while (theirs.at(i).peer != rank_) ++i;
        const auto& there = theirs[i++].tensor;
        EXPECT_EQ(there.numel(), tensor.numel()) << "from " << peer << " to " << rank_;
        EXPECT_EQ(there.scalar_type(), tensor.scalar_type());
        if (tensor.numel() > 0) tensor.view(-1).copy_(there.reshape(-1));
      }
      group_.barrier_.arrive_and_wait();
    }

    std::unique_ptr<Communicator> channel() override {
      return std::make_unique<Member>(group_.channel(channels_++), rank_);
    }

   private:
    LocalGroup& group_;
    std::int64_t rank_;
    std::size_t channels_ = 0;
  };

 private:
  std::vector<const Messages*> posts_;
  std::barrier<> barrier_;
  std::mutex mutex_;  // of channels_
  std::vector<std::unique_ptr<LocalGroup>> channels_;
};

// Calls `work` once for each of `size` ranks, all at a time. It must not throw on some of them alone.
inline void in_group(std::int64_t size, const std::function<void(Communicator&)>& work) {
  LocalGroup group(size);
  std::vector<std::thread> threads;
  for (std::int64_t rank = 0; rank < size; ++rank)
    threads.emplace_back([&group, &work, rank] {
      LocalGroup::Member member(group, rank);
      work(member);
    });
  for (auto& thread : threads) thread.join();
}

}  // namespace peerless::test
