// The elements of stored tensors as numbers, and back. Bytes are little-endian, as in files.
#pragma once

#include <cstddef>
#include <string>

#include "peerless/base/state.h"
#include "peerless/checkpoint/box.h"

namespace peerless {

std::string kind_of(DType dtype, const Shape& shape);  // "F32 [64, 8]"
bool is_floating(DType dtype);

// Exact, but for integers of more than 53 bits.
double value_of(DType dtype, const std::byte* at);

// The nearest that a floating dtype has, of two equally near the even one; beyond its largest it is infinity, as in
// IEEE 754.
void put_value(DType dtype, double value, std::byte* at);

}  // namespace peerless
