// Work on a stream of items on many threads, with the results in the order of the items and a bound on the memory that
// waits: what comes out does not depend on the number of threads.
//
//   OrderedWork<Text, Tokens> work(threads, budget, encode, write);
//   while (auto text = next()) { const auto size = text->size(); work.add(std::move(*text), size); }
//   work.finish();
//
// `take` runs on the caller's thread. An exception of `make` reaches the caller where its result was due. Where the
// system allows fewer threads, there are fewer; Error(io) when it allows none.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "peerless/base/error.h"

namespace peerless {

template <class Item, class Result>
class OrderedWork {
 public:
  OrderedWork(std::int64_t threads, std::uint64_t budget, std::function<Result(Item)> make,
              std::function<void(Result)> take)
      : budget_(budget), make_(std::move(make)), take_(std::move(take)) {
    start(threads);
  }

  ~OrderedWork() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_workers_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  // Waits while more than the budget is under way, so that one item of any size always fits.
  void add(Item item, std::uint64_t weight) {
    while (!under_way_.empty() && weight_ + weight > budget_) take_oldest();
    auto job = std::make_shared<Job>(Job{std::move(item), weight, {}, nullptr, false});
    weight_ += weight;
    under_way_.push_back(job);
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(job));
    }
    wake_workers_.notify_one();
  }

  void finish() {
    while (!under_way_.empty()) take_oldest();
  }

 private:
  // Fewer threads than were asked for are slower, but no reason to give up.
  void start(std::int64_t threads) {
    try {
      for (std::int64_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
      if (threads_.empty()) throw Error(ExitCode::io, "cannot start a thread: ", error.code().message());
    }
  }

  struct Job {
    Item item;
    std::uint64_t weight;
    Result result;
    std::exception_ptr error;
    bool done;
  };

  void work() {
    for (;;) {
      std::shared_ptr<Job> job;
      {
        std::unique_lock lock(mutex_);
        wake_workers_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        job = std::move(waiting_.front());
        waiting_.pop_front();
      }
      try {
        job->result = make_(std::move(job->item));
      } catch (...) {
        job->error = std::current_exception();
      }
      {
        const std::lock_guard lock(mutex_);
        job->done = true;
      }
      wake_caller_.notify_one();
    }
  }

  void take_oldest() {
    const auto job = std::move(under_way_.front());
    under_way_.pop_front();
    {
      std::unique_lock lock(mutex_);
      wake_caller_.wait(lock, [&] { return job->done; });
    }
    weight_ -= job->weight;
    if (job->error) std::rethrow_exception(job->error);
    take_(std::move(job->result));
  }

  const std::uint64_t budget_;
  const std::function<Result(Item)> make_;
  const std::function<void(Result)> take_;
  std::deque<std::shared_ptr<Job>> under_way_;  // the caller's: in the order of the items
  std::uint64_t weight_ = 0;                    // of those

  std::mutex mutex_;  // for what follows, and `done`
  std::condition_variable wake_workers_, wake_caller_;
  std::deque<std::shared_ptr<Job>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace peerless
