// What ATen takes from the heap.
#pragma once

#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace peerless::test {

// While one lives: the bytes of host tensors that live at the same time, at most, beyond those that were there before.
class Allocations : public c10::Allocator {
 public:
  Allocations() : before_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this); }
  ~Allocations() override { c10::SetCPUAllocator(before_); }
  Allocations(const Allocations&) = delete;
  Allocations& operator=(const Allocations&) = delete;

  std::int64_t peak() const { return peak_; }
  std::int64_t live() const { return live_ - live_before_; }  // now

  c10::DataPtr allocate(std::size_t bytes) override {
    const auto size = static_cast<std::int64_t>(bytes);
    const std::int64_t live = (live_ += size) - live_before_;
    for (std::int64_t peak = peak_; peak < live && !peak_.compare_exchange_weak(peak, live);) continue;
    auto data = before_->allocate(bytes);
    void* const memory = data.get();
    return {memory, new Held{std::move(data), size}, &Allocations::release, c10::Device(c10::kCPU)};
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

 private:
  struct Held {
    c10::DataPtr data;
    std::int64_t size;
  };
  static void release(void* context) {  // also of tensors that outlive the observer
    auto* const held = static_cast<Held*>(context);
    live_ -= held->size;
    delete held;
  }

  const std::int64_t live_before_ = live_;
  c10::Allocator* before_;
  static inline std::atomic<std::int64_t> live_ = 0;
  std::atomic<std::int64_t> peak_ = 0;
};

}  // namespace peerless::test
