// What a forward pass wants to tell, by name: sums that add up over micro-batches, processes and evaluation batches.
//
// Forward writes no state. Running statistics, balance biases and counts leave the model as Stats, are added over a
// step in micro-batch order, and `commit(stats)` applies them once, after the guard: a recomputed forward cannot count
// twice, a skipped step leaves no trace, and evaluation cannot disturb training.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace peerless {

class Stats {
 public:
  // `value` needs no gradient; names are unique.
  void set(std::string name, at::Tensor value);
  const at::Tensor& at(std::string_view name) const;
  bool contains(std::string_view name) const;
  at::Tensor take(std::string_view name);  // and it is gone

  // Adds every value of `other` to the value of the same name; names not here yet are taken over. `other` keeps what it
  // holds: the first sum of two values is a tensor of its own, and later ones are added to that in place.
  void add(const Stats& other);
  void add(const Stats& other, const std::string& prefix);

  // The values whose names begin with `prefix`, under the rest of their names.
  Stats under(std::string_view prefix) const;

  bool empty() const { return values_.empty(); }
  std::vector<std::pair<std::string, at::Tensor>> named() const;

 private:
  struct Value {
    std::string name;
    at::Tensor tensor;
    bool own;  // no other holds the tensor
  };
  std::vector<Value> values_;
};

// A figure for people and logs: "unevenness" = 0.43.
using Figures = std::vector<std::pair<std::string, double>>;

}  // namespace peerless
