#include "peerless/params/module.h"

#include <ATen/ops/empty.h>

namespace peerless {

at::Tensor Module::make_parameter(std::string name, at::IntArrayRef shape, Role role, Init init) {
  return make_parameter(std::move(name), Shard{shape.vec()}, role, std::move(init));
}

at::Tensor Module::make_parameter(std::string name, Shard shard, Role role, Init init) {
  auto tensor = register_parameter(name, at::empty(shard.extent(), options_));
  parameters_.push_back({std::move(name), tensor, role, std::move(init), nullptr, std::move(shard)});
  return tensor;
}

at::Tensor Module::make_table(std::string name, at::Tensor uninitialized, Init init, std::shared_ptr<RowGrad> rows,
                              std::optional<Shard> shard) {
  auto tensor = register_parameter(name, std::move(uninitialized));
  parameters_.push_back({std::move(name), tensor, Role::table, std::move(init), std::move(rows),
                         shard ? *std::move(shard) : Shard{tensor.sizes().vec()}});
  return tensor;
}

at::Tensor Module::make_buffer(std::string name, at::Tensor initial) {
  auto tensor = register_buffer(name, std::move(initial));
  buffers_.push_back({std::move(name), tensor});
  return tensor;
}

}  // namespace peerless
