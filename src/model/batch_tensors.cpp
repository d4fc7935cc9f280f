#include "peerless/model/batch_tensors.h"

#include <ATen/ops/from_blob.h>

namespace peerless {

BatchTensors tensors_of(const Batch& batch, at::Device device) {
  const auto view = [&](const auto& values, at::ScalarType dtype) {
    using Value = typename std::decay_t<decltype(values)>::value_type;
    auto* data = const_cast<Value*>(values.data());  // from_blob has no const form; nothing here writes
    const auto here = at::from_blob(data, {batch.batch, batch.seq_len}, at::TensorOptions(dtype));
    return device.is_cpu() ? here : here.pin_memory().to(device, /*non_blocking=*/true);
  };
  return {view(batch.inputs, at::kLong), view(batch.targets, at::kLong), view(batch.mask, at::kByte)};
}

}  // namespace peerless
