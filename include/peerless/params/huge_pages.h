// Memory for tables, moments and gradients.
//
// Reading random rows of a table of gigabytes costs more in address translation than in the reading: on 2 MiB pages the
// expert stage over a million rows takes half the time. What is read in order gains a little. So big host tensors are
// mapped apart from the heap and the system is advised to back them by huge pages; where it will not, nothing but speed
// is lost.
#pragma once

#include <ATen/core/Tensor.h>

namespace peerless {

// at::zeros. On the CPU, from 4 MiB on: fresh pages of the system, which take no memory before they are first written.
at::Tensor huge_zeros(at::IntArrayRef shape, at::TensorOptions options = {});

}  // namespace peerless
