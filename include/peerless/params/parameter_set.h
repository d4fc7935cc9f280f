// All parameters and buffers of a model, in the fixed order of its modules: the one thing that optim, dist, train and
// checkpointing see of it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "peerless/params/module.h"
#include "peerless/params/tensor_state.h"

namespace peerless {

class ParameterSet {
 public:
  // Every parameter and buffer of `root` and its children, with its full name. c10::Error when a module is registered
  // twice: its parameters would be updated twice.
  explicit ParameterSet(const torch::nn::Module& root);

  const std::vector<Parameter>& parameters() const& { return parameters_; }
  const std::vector<Buffer>& buffers() const& { return buffers_; }
  // Of a temporary: for (auto& p : ParameterSet(m).parameters())
  std::vector<Parameter> parameters() && { return std::move(parameters_); }
  std::vector<Buffer> buffers() && { return std::move(buffers_); }
  const Parameter& at(std::string_view name) const;
  std::int64_t num_elements() const;

  // Fills every parameter from (seed, its name); element i is the same on any device, in any shard. Buffers keep
  // what their module gave them.
  void initialize(std::uint64_t seed) const;

  // All parameters and buffers, named "model.<name>", parameters in the form of their shards.
  NamedTensors named_tensors() const;

 private:
  std::vector<Parameter> parameters_;
  std::vector<Buffer> buffers_;
};

}  // namespace peerless
