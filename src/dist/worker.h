// A thread that works while another computes.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace peerless {

// Runs tasks one after the other, in the order in which they are added. After one has failed, none is run any more.
class Worker {
 public:
  Worker();
  ~Worker();  // what has not begun is dropped
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void add(std::function<void()> task);
  void finish();  // waits until all are done; throws what one threw

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  // the first is being run
  std::exception_ptr error_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peerless
