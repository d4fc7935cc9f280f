// What the machine gives: its peak rate, the memory that this process holds.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace peerless {

// The rate that model FLOPs utilisation is a share of.
struct PeakRate {
  double flops_per_second;
  std::string source;  // for people: "given", "measured: fp32 matrix product of 1024^3"
};

// The best rate of a few square matrix products on that device, in that dtype: what the machine reaches at its best.
PeakRate measure_peak(at::Device device, at::ScalarType dtype);

std::int64_t resident_bytes();       // of this process, now
std::int64_t peak_resident_bytes();  // the most it ever held

}  // namespace peerless
