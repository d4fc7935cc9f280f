// Learning-rate schedules: the factor of the peak rate at step s of a run of S steps, s from 0.
//
//   all        warm-up of w steps: (s + 1) / w
//   wsd        1, then over the last d steps, t = (s - (S - d)) / d:  final + (1 - final) shape(t),
//              shape: one_minus_sqrt 1 - sqrt(t), linear 1 - t, cosine (1 + cos(pi t)) / 2
//   cosine, linear   that shape from the end of the warm-up to step S
//   constant   1
//
// Source   warm-up, stable, decay with 1 - sqrt: Haegele et al. 2024, arXiv:2405.18392
#pragma once

#include <variant>

#include "peerless/config/duration.h"
#include "peerless/config/field.h"

namespace peerless {

enum class DecayShape { one_minus_sqrt, linear, cosine };
constexpr std::array<std::string_view, 3> enum_names(DecayShape) { return {"one_minus_sqrt", "linear", "cosine"}; }

struct WsdConfig {
  static constexpr std::string_view kind = "wsd";
  Duration warmup = Duration::of_percent(2);
  Duration decay = Duration::of_percent(20);
  DecayShape decay_shape = DecayShape::one_minus_sqrt;
  double final_lr_ratio = 0;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("warmup", c.warmup, Any{}, "length of the linear rise from 0", Resume::with_override);
    visit("decay", c.decay, Any{}, "length of the decay at the end of the run", Resume::with_override);
    visit("decay_shape", c.decay_shape, Any{}, "how it falls", Resume::with_override);
    visit("final_lr_ratio", c.final_lr_ratio, Between{0, 1}, "share of the peak that the decay ends at",
          Resume::with_override);
  }
  void check() const {
    const bool decays = decay.steps(/*total_steps=*/1'000'000, /*tokens_per_step=*/1) > 0;
    if (!decays && (decay_shape != WsdConfig().decay_shape || final_lr_ratio != WsdConfig().final_lr_ratio))
      throw Error(ExitCode::config, "decay_shape and final_lr_ratio have no effect: decay is 0");
  }
  bool operator==(const WsdConfig&) const = default;
};

// A schedule that falls from the end of the warm-up to the end of the run.
template <DecayShape Shape>
struct FallingConfig {
  static constexpr std::string_view kind = enum_names(Shape)[static_cast<std::size_t>(Shape)];
  static constexpr DecayShape decay_shape = Shape;
  Duration warmup = Duration::of_percent(2);
  double final_lr_ratio = 0.1;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("warmup", c.warmup, Any{}, "length of the linear rise from 0", Resume::with_override);
    visit("final_lr_ratio", c.final_lr_ratio, Between{0, 1}, "share of the peak that the fall ends at",
          Resume::with_override);
  }
  bool operator==(const FallingConfig&) const = default;
};
using CosineConfig = FallingConfig<DecayShape::cosine>;
using LinearConfig = FallingConfig<DecayShape::linear>;

struct ConstantConfig {
  static constexpr std::string_view kind = "constant";
  Duration warmup = Duration::of_percent(2);

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("warmup", c.warmup, Any{}, "length of the linear rise from 0", Resume::with_override);
  }
  bool operator==(const ConstantConfig&) const = default;
};

using ScheduleConfig = std::variant<WsdConfig, CosineConfig, LinearConfig, ConstantConfig>;

// The schedule of a run of known length; a pure function of the step.
class Schedule {
 public:
  Schedule(const ScheduleConfig& config, std::int64_t total_steps, std::int64_t tokens_per_step);
  double factor(std::int64_t step) const;

 private:
  std::int64_t warmup_ = 0;
  std::int64_t decay_begin_;  // first step of the decay
  std::int64_t decay_ = 0;    // its length; 0: none
  DecayShape shape_ = DecayShape::linear;
  double final_ = 1;
};

}  // namespace peerless
