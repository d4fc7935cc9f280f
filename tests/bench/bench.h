// Works that scripts/bench times, each once more whenever it is asked for (main.cpp), so that ours and a peer's can
// take turns.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "peerless/params/parameter_set.h"

namespace peerless::bench {

// Seconds by part, in the order in which the parts came; their sum is the time of the work.
using Seconds = nlohmann::ordered_json;

class Work {
 public:
  virtual ~Work() = default;
  virtual Seconds run() = 0;
  // Of matrix products and the like in one run, where the work is worth a comparison with the machine's ceiling; else
  // 0.
  virtual double flops() const { return 0; }
  // Of weights and moments: what no way to do the work could do without. 0: not told.
  virtual std::size_t state_bytes() const { return 0; }
};

// Shapes are YAML; each work's source has its keys.
std::unique_ptr<Work> block_step(const std::string& shape);  // a training step of one feed-forward block
std::unique_ptr<Work> model_step(const std::string& shape);  // a training step of a language model
std::unique_ptr<Work> matmul(const std::string& shape);      // a matrix product: the ceiling of all others

inline std::size_t bytes_of(const NamedTensors& tensors) {
  std::size_t bytes = 0;
  for (const auto& named : tensors) bytes += named.tensor.nbytes();
  return bytes;
}

class Stopwatch {
 public:
  // Ends the part that began at the last call, or with the stopwatch.
  void part(const char* name) {
    const auto now = Clock::now();
    seconds_[name] = std::chrono::duration<double>(now - begin_).count();
    begin_ = now;
  }
  const Seconds& seconds() const { return seconds_; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now();
  Seconds seconds_;
};

}  // namespace peerless::bench
