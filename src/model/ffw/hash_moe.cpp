#include "peerless/model/ffw/hash_moe.h"

#include "peerless/model/ffw/load.h"

namespace peerless {

Cost HashMoeConfig::cost(std::int64_t d_model) const {
  const Cost expert = DenseConfig{activation, d_expert}.cost(d_model);
  Cost cost{.parameters = num_experts * expert.parameters,
            .active_parameters = expert.parameters,
            .flops = expert.flops,
            .kept = static_cast<double>((gated(activation) ? 2 : 1) * d_expert)};
  return cost += Cost::of_routing(0, 2.0 * static_cast<double>(d_model));
}

HashMoe::HashMoe(const Build& build, const HashMoeConfig& config)
    : Ffw(build.options), num_experts_(config.num_experts), layer_(build.layer) {
  experts_ = register_module("experts", std::make_shared<Experts>(build, config.num_experts, config.d_expert,
                                                                  config.activation, /*output_scale=*/1));
}

FfwOutput HashMoe::forward(const FfwInput& input) const {
  const auto x = input.x.flatten(0, 1);
  const auto ids = hash_experts(input.token_ids.reshape({-1, 1}), layer_, num_experts_);
  FfwOutput out{experts_->forward(x, at::ones(ids.sizes(), options()), ids).view_as(input.x), {}, {}};
  out.stats.set("load", count_load(ids, input.counted, num_experts_));
  return out;
}

Figures HashMoe::figures(const Stats& stats) const { return load_figures(stats.at("load")); }

// A mixer of 32 bits (xor-shifts and multiplications, after Wellons' hash-prospector) in 64-bit tensors, whose products
// stay below 2^63.
at::Tensor hash_experts(const at::Tensor& token_ids, std::int64_t layer, std::int64_t num_experts) {
  constexpr std::int64_t kLow = 0xffffffff;
  const auto times = [](const at::Tensor& h, std::int64_t factor) { return (h * factor).bitwise_and(kLow); };
  const auto fold = [](const at::Tensor& h, std::int64_t shift) { return h.bitwise_xor(h.bitwise_right_shift(shift)); };
  auto h = (times(token_ids, 0x5bd1e995) + (layer + 1) * 0x27d4eb2f).bitwise_and(kLow);
  h = times(fold(h, 15), 0x2c1b3c6d);
  h = times(fold(h, 12), 0x297a2d39);
  return fold(h, 15).remainder(num_experts);
}

}  // namespace peerless
