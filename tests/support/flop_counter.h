// Counts the multiply-adds that operators really do, from the shapes they are called with. FLOPs are two of each.
#pragma once

#include <ATen/record_function.h>

#include <stdexcept>
#include <string_view>

#include "tests/support/tensors.h"

namespace peerless::test {

// While one lives, on this thread, which works alone: matrix products, attention, and our fused operators.
class FlopCounter {
 public:
  FlopCounter()
      : handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(&FlopCounter::count).needsInputs(true))) {
    flops_ = 0;
  }
  ~FlopCounter() { at::removeCallback(handle_); }
  FlopCounter(const FlopCounter&) = delete;
  FlopCounter& operator=(const FlopCounter&) = delete;

  double flops() const { return flops_; }

 private:
  static std::unique_ptr<at::ObserverContext> count(const at::RecordFunction& call) {
    const std::string_view name = call.name();
    const auto size = [&](std::size_t input, std::int64_t dim) {
      return static_cast<double>(call.inputs()[input].toTensor().size(dim));
    };
    const auto numel = [&](std::size_t input) { return static_cast<double>(call.inputs()[input].toTensor().numel()); };
    if (name == "aten::mm") flops_ += 2 * numel(0) * size(1, 1);
    if (name == "aten::addmm" || name == "aten::addmm_") flops_ += 2 * numel(1) * size(2, 1);
    if (name == "aten::bmm") flops_ += 2 * numel(0) * size(1, 2);
    // Each query of a causal attention scores and sums the positions up to its own.
    if (name == "aten::scaled_dot_product_attention") flops_ += 2 * numel(0) * (size(0, 2) + 1);
    if (name == "peerless::peer_experts" || name == "peerless::gather_sum")  // ids [T, P], table [N, W]
      flops_ += 2 * numel(0) * size(1, 1);
    if (name == "peerless::moe_experts") flops_ += 2 * numel(0) * size(1, 1);  // the weighted sum; ids [T, K], x [T, D]
    return nullptr;
  }

  static inline double flops_ = 0;
  const Threads one_{1};
  at::CallbackHandle handle_;
};

}  // namespace peerless::test
