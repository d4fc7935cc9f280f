// A small run to save: one tensor of each kind that matters, owned by the test.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "peerless/base/state.h"
#include "peerless/checkpoint/manifest.h"

namespace peerless::test {

struct SmallRun {
  std::array<float, 12> weight{};  // [4, 3]
  std::array<double, 2> moment{};
  std::array<std::uint8_t, 3> flags{};
  std::int64_t step = 0;

  explicit SmallRun(std::int64_t steps = 0) : step(steps) {
    for (std::size_t i = 0; i < weight.size(); ++i)
      weight[i] = static_cast<float>(steps) + 0.5f * static_cast<float>(i);
    moment = {static_cast<double>(steps) / 3, 1e-300};
    flags = {1, 2, static_cast<std::uint8_t>(steps)};
  }

  State state() {
    State state;
    state.add("flags", DType::u8, {3}, std::as_writable_bytes(std::span(flags)));
    state.add("weight", DType::f32, {4, 3}, std::as_writable_bytes(std::span(weight)));
    state.add("moment", DType::f64, {2}, std::as_writable_bytes(std::span(moment)));
    state.add("step", step);
    return state;
  }

  CheckpointInfo info() const {
    return {.step = step,
            .run = "r1",
            .program = "0.1.0",
            .config = "run: {name: a}\ntrain: {max_steps: 40}\n",
            .tokenizer = {1, 2},
            .data = {3, 4}};
  }

  bool operator==(const SmallRun&) const = default;
};

}  // namespace peerless::test
