// What the machine is and gives: its cores, its clock, its peak rate, its memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace peerless {

// The cores that this process may run on: their number, and which, as text.
std::int64_t num_cores();
std::string cores();
std::string utc_time();  // "2026-01-31T12:00:00Z"

// The rate that model FLOPs utilisation is a share of.
struct PeakRate {
  double flops_per_second;
  std::string source;  // for people: "log.peak_tflops", "measured: fp32 matrix product of 1024^3"
};

// The best rate of a few square matrix products on that device, in that dtype: what the machine reaches at its best.
PeakRate measure_peak(at::Device device, at::ScalarType dtype);

// What processes of this host may still take: as the kernel counts it, and what is left to the control groups that this
// process is in. None where it cannot be found out. `root` stands for "/".
std::optional<std::int64_t> available_memory(const std::filesystem::path& root = "/");
std::int64_t resident_bytes();                  // of this process, now
std::int64_t peak_resident_bytes();             // the most it ever held
std::int64_t memory_in_use(at::Device device);  // of a GPU's memory, by tensors; of the host's, resident_bytes()

}  // namespace peerless
