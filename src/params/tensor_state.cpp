#include "peerless/params/tensor_state.h"

#include <torch/csrc/autograd/grad_mode.h>

namespace peerless {

DType dtype_of(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kDouble:
      return DType::f64;
    case at::kFloat:
      return DType::f32;
    case at::kHalf:
      return DType::f16;
    case at::kBFloat16:
      return DType::bf16;
    case at::kLong:
      return DType::i64;
    case at::kInt:
      return DType::i32;
    case at::kShort:
      return DType::i16;
    case at::kChar:
      return DType::i8;
    case at::kByte:
      return DType::u8;
    case at::kBool:
      return DType::boolean;
    default:
      TORCH_CHECK(false, "no state element type for ", tensor.scalar_type());
  }
}

State to_state(const NamedTensors& tensors) {
  State state;
  for (const auto& [name, tensor, slice] : tensors) {
    TORCH_CHECK(tensor.is_contiguous(), name, ": only contiguous tensors can be saved");
    const auto host = std::make_shared<at::Tensor>(tensor.detach().to(at::kCPU));
    auto* bytes = static_cast<std::byte*>(host->data_ptr());
    const auto extent = tensor.sizes().vec();
    state.add({.name = name,
               .dtype = dtype_of(tensor),
               .shape = slice ? slice->shape : extent,
               .offset = slice ? slice->offset : std::vector<std::int64_t>(extent.size(), 0),
               .extent = extent,
               .bytes = {bytes, host->nbytes()},
               .owner = host});
  }
  return state;
}

void restore(const State& state, const NamedTensors& tensors) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor, slice] : tensors) {
    const StateEntry* entry = state.find(name);
    TORCH_CHECK(entry, "the state has no ", name);
    TORCH_CHECK(entry->dtype == dtype_of(tensor) && tensor.sizes() == at::IntArrayRef(entry->extent), name,
                ": the state has ", peerless::name_of(entry->dtype), " ", at::IntArrayRef(entry->extent),
                ", the tensor is ", peerless::name_of(dtype_of(tensor)), " ", tensor.sizes());
    if (tensor.is_cpu()) continue;
    tensor.copy_(*std::static_pointer_cast<at::Tensor>(entry->owner));
  }
}

}  // namespace peerless
