// A parameter as everything outside the model sees it: name, tensor, role, start, and where its gradient is.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "peerless/params/row_grad.h"

namespace peerless {

// What a parameter is for. It decides weight decay (matrices only), the optimizer and its learning rate.
enum class Role { matrix, vector, embedding, head, router, table };

// How a parameter starts.
struct Init {
  enum class Kind { constant, normal, uniform } kind = Kind::constant;
  // constant: the value. normal: standard deviations, one for each of equally wide groups of columns (usually one).
  // uniform: the bound b of U(-b, b).
  std::vector<double> scales{0.0};

  static Init constant(double value) { return {Kind::constant, {value}}; }
  static Init normal(double std) { return {Kind::normal, {std}}; }
  static Init normal_by_column_group(std::vector<double> stds) { return {Kind::normal, std::move(stds)}; }
  static Init uniform(double bound) { return {Kind::uniform, {bound}}; }

  bool operator==(const Init&) const = default;
};

// The part of a parameter that this process holds, where several hold one together: of `ways` equal parts along a
// dimension the one of that index. In a run, ranks that are equal modulo `ways` hold the same part.
struct Shard {
  std::vector<std::int64_t> shape;  // of the whole
  std::int64_t dim = 0, index = 0, ways = 1;

  bool is_whole() const { return ways == 1; }
  std::vector<std::int64_t> extent() const;
  std::vector<std::int64_t> offset() const;
};

struct Parameter {
  std::string name;   // "layers.2.ffw.router.query.weight"
  at::Tensor tensor;  // a leaf that requires grad; its elements are those of the shard, in order
  Role role;
  Init init;
  std::shared_ptr<RowGrad> rows;  // its gradient, for tables; null: the gradient is tensor.grad()
  Shard shard;
};

struct Buffer {
  std::string name;
  at::Tensor tensor;  // requires no grad
};

// The gradient as a dense tensor of the parameter's shape, zeros when there is none, so that finite differences and
// brute-force references treat all parameters alike.
at::Tensor dense_grad(const Parameter& parameter);

}  // namespace peerless
