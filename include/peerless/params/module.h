// The base of every part of a model that owns parameters: a torch::nn::Module whose parameters also say their role and
// how they start, so that the optimizer, the checkpoint and `plan` never guess from names.
//
// Construction allocates, it does not initialise: `ParameterSet::initialize` fills every parameter from (seed, name),
// so equal seeds give equal bits whatever the order of construction, the device or the number of processes.
#pragma once

#include <torch/nn/module.h>

#include <string>
#include <utility>
#include <vector>

#include "peerless/params/parameter.h"

namespace peerless {

class Module : public torch::nn::Module {
 public:
  // Parameters are made with `options`: dtype (fp32; fp64 in tests) and device.
  explicit Module(at::TensorOptions options) : options_(options) {}

  // This module's own parameters and buffers, without its children's; names are local ("weight").
  const std::vector<Parameter>& own_parameters() const { return parameters_; }
  const std::vector<Buffer>& own_buffers() const { return buffers_; }

 protected:
  at::Tensor make_parameter(std::string name, at::IntArrayRef shape, Role role, Init init);
  at::Tensor make_parameter(std::string name, Shard shard, Role role, Init init);  // of the shard's extent
  // A parameter whose gradient comes by rows, beside autograd; without a shard it is whole.
  at::Tensor make_table(std::string name, at::Tensor uninitialized, Init init, std::shared_ptr<RowGrad> rows,
                        std::optional<Shard> shard = std::nullopt);
  // State that training changes outside the optimizer (running statistics, balance biases), through commit() only.
  at::Tensor make_buffer(std::string name, at::Tensor initial);

  const at::TensorOptions& options() const { return options_; }

 private:
  at::TensorOptions options_;
  std::vector<Parameter> parameters_;
  std::vector<Buffer> buffers_;
};

}  // namespace peerless
