// A batch of the data room as tensors on a device. On the CPU they view the batch's memory, which must outlive them; a
// GPU copies them while the host goes on, from pinned memory that LibTorch keeps until then.
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/data/batch.h"

namespace peerless {

struct BatchTensors {
  at::Tensor inputs, targets;  // [B, T] int64
  at::Tensor mask;             // [B, T] uint8
};

BatchTensors tensors_of(const Batch& batch, at::Device device);

}  // namespace peerless
