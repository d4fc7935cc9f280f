#include "peerless/train/machine.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>

#include "peerless/base/text.h"

namespace peerless {

std::int64_t num_cores() {
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof usable, &usable) == 0) return CPU_COUNT(&usable);
  return std::thread::hardware_concurrency();  // more than cpu_set_t can tell apart
}

std::string cores() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Cpus_allowed_list:")) return line.substr(line.find(':') + 1);
  return "all";
}

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text;
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

PeakRate measure_peak(at::Device device, at::ScalarType dtype) {
  using Clock = std::chrono::steady_clock;
  const std::int64_t n = device.is_cpu() ? 1024 : 4096;
  const auto options = at::TensorOptions(device).dtype(dtype);
  const auto a = at::ones({n, n}, options), b = at::ones({n, n}, options);
  const auto seconds = [&] {
    const auto begin = Clock::now();
    const auto product = at::mm(a, b);
    product[0][0].item<double>();  // waits for a device
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  seconds();
  const double best = std::min({seconds(), seconds(), seconds()});
  const double flops = 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
  return {flops / best, concat("measured: ", dtype == at::kBFloat16 ? "bf16" : "fp32", " matrix product of ", n, "^3")};
}

namespace {

// The number in the first line that begins with `key`, or the file's only one.
std::optional<std::int64_t> number_in(const std::filesystem::path& file, const std::string& key = "") {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    std::istringstream number(line.substr(key.size()));
    if (std::int64_t value = 0; number >> value) return value;
    return std::nullopt;  // "max"
  }
  return std::nullopt;
}

// Of a control group, version 2. Pages of files that nobody uses now can be taken from it.
std::optional<std::int64_t> left_to(const std::filesystem::path& group) {
  const auto most = number_in(group / "memory.max"), used = number_in(group / "memory.current");
  if (!most || !used) return std::nullopt;
  return *most - *used + number_in(group / "memory.stat", "inactive_file ").value_or(0);
}

}  // namespace

std::optional<std::int64_t> available_memory(const std::filesystem::path& root) {
  auto available = number_in(root / "proc/meminfo", "MemAvailable:");
  if (available) *available *= 1024;
  const auto limit = [&](std::optional<std::int64_t> left) {
    if (left) available = available ? std::min(*available, *left) : *left;
  };
  const auto groups = root / "sys/fs/cgroup";
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0::/")) continue;
    auto group = groups / line.substr(4);
    for (; group != groups && group.has_relative_path(); group = group.parent_path()) limit(left_to(group));
  }
  limit(left_to(groups));  // the root of a container's own
  return available;
}

std::int64_t resident_bytes() {
  std::int64_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

std::int64_t memory_in_use(at::Device device) {
  if (device.is_cpu()) return resident_bytes();
  constexpr auto kAll = static_cast<std::size_t>(at::CachingAllocator::StatType::AGGREGATE);
  return at::accelerator::getDeviceStats(device.index()).allocated_bytes[kAll].current;
}

std::int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

}  // namespace peerless
