// Tells steps whose loss is far above those before.
//
//   spike: loss > median + threshold * 1.4826 * (median of |loss_i - median|)    over the 128 finite losses before
//
// 1.4826 makes the median of deviations the standard deviation of a normal distribution. Both medians stay where they
// are while less than half of the window is out of the way, unlike mean and deviation. Nothing is told before the
// window is full. What it remembers is a part of the run's checkpoints: a resumed run tells the same.
//
// Cost     two partial sorts of 128 numbers a step
// Source   Huber, Robust Statistics, 1981, section 5.1
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "peerless/base/state.h"

namespace peerless {

class SpikeDetector {
 public:
  static constexpr std::int64_t kWindow = 128;

  // Whether this loss is a spike among those before, which it joins unless it is not finite. Threshold 0: none is.
  bool add(double loss, double threshold) {
    if (!std::isfinite(loss)) return false;
    const bool spike = threshold > 0 && count_ >= kWindow && loss > level(threshold);
    losses_[static_cast<std::size_t>(count_ % kWindow)] = loss;
    ++count_;
    in_a_row_ = spike ? in_a_row_ + 1 : 0;
    return spike;
  }
  void end_row() { in_a_row_ = 0; }
  std::int64_t in_a_row() const { return in_a_row_; }  // spikes, with the last loss

  // What a loss must exceed; of a full window.
  double level(double threshold) const {
    auto values = losses_;
    const double center = median(values);
    for (double& value : values) value = std::abs(value - center);
    return center + threshold * 1.4826 * median(values);
  }

  State state() {
    State state;
    state.add("train.losses", DType::f64, {kWindow}, std::as_writable_bytes(std::span(losses_)));
    state.add("train.losses_seen", count_);
    state.add("train.spikes_in_a_row", in_a_row_);
    return state;
  }

 private:
  using Losses = std::array<double, kWindow>;

  static double median(Losses& values) {  // the upper of the two in the middle
    const auto middle = values.begin() + kWindow / 2;
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  Losses losses_{};
  std::int64_t count_ = 0, in_a_row_ = 0;
};

}  // namespace peerless
