// Work beside what a device computes. On the CPU there are no streams, and all of this does nothing.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <functional>
#include <memory>
#include <optional>

namespace peerless {

class SideStream {
 public:
  explicit SideStream(c10::Device device);

  // A place in the stream that computes: what was asked of it until now. For the thread that asks.
  using Mark = std::shared_ptr<c10::Event>;
  Mark mark() const;
  // `work`, whose operations go to the side stream, after what was marked. For the thread that works beside.
  void run_after(const Mark& mark, const std::function<void()>& work);
  // The stream that computes goes on after all work beside it.
  void join() const;

 private:
  c10::Device device_;
  std::optional<c10::Stream> stream_;
};

}  // namespace peerless
