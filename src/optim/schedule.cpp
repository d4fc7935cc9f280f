#include "peerless/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace peerless {
namespace {

double shape_at(DecayShape shape, double t) {
  switch (shape) {
    case DecayShape::one_minus_sqrt:
      return 1 - std::sqrt(t);
    case DecayShape::linear:
      return 1 - t;
    case DecayShape::cosine:
      return (1 + std::cos(std::numbers::pi * t)) / 2;
  }
  return 1;
}

}  // namespace

Schedule::Schedule(const ScheduleConfig& config, std::int64_t total_steps, std::int64_t tokens_per_step)
    : decay_begin_(total_steps) {
  std::visit(
      [&](const auto& c) {
        using C = std::decay_t<decltype(c)>;
        const auto steps = [&](const Duration& d) { return d.steps(total_steps, tokens_per_step); };
        warmup_ = steps(c.warmup);
        if constexpr (!std::is_same_v<C, ConstantConfig>) {
          if constexpr (std::is_same_v<C, WsdConfig>)
            decay_ = std::min(steps(c.decay), total_steps);
          else
            decay_ = std::max<std::int64_t>(total_steps - warmup_, 0);
          decay_begin_ = total_steps - decay_;
          shape_ = c.decay_shape;
          final_ = c.final_lr_ratio;
        }
      },
      config);
}

double Schedule::factor(std::int64_t step) const {
  const double rise = step < warmup_ ? static_cast<double>(step + 1) / static_cast<double>(warmup_) : 1;
  if (decay_ == 0 || step < decay_begin_) return rise;
  const double t = std::min(1.0, static_cast<double>(step - decay_begin_) / static_cast<double>(decay_));
  return rise * (final_ + (1 - final_) * shape_at(shape_, t));
}

}  // namespace peerless
