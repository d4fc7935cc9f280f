// A module with a parameter of each role, an optimizer of them, and gradients as backward would leave them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "peerless/optim/optimizer.h"
#include "peerless/params/gradients.h"
#include "tests/support/tensors.h"

namespace peerless::test {

class Parts : public Module {
 public:
  explicit Parts(at::ScalarType dtype) : Module(at::TensorOptions(dtype)) {
    matrix = make_parameter("matrix", {3, 4}, Role::matrix, Init::normal(1));
    tall = make_parameter("tall", {7, 2}, Role::matrix, Init::normal(1));
    experts = make_parameter("experts", {3, 2, 5}, Role::matrix, Init::normal(1));
    vector = make_parameter("vector", {5}, Role::vector, Init::normal(1));
    router = make_parameter("router", {2, 4}, Role::router, Init::normal(1));
    embedding = make_parameter("embedding", {4, 3}, Role::embedding, Init::normal(1));
    head = make_parameter("head", {4, 3}, Role::head, Init::normal(1));
    rows = std::make_shared<RowGrad>(6, 4, options());
    table = make_table("table", at::empty({6, 4}, options()), Init::normal(1), rows);
  }
  at::Tensor matrix, tall, experts, vector, router, embedding, head, table;
  std::shared_ptr<RowGrad> rows;
};

struct Rig {
  explicit Rig(const OptimConfig& config, at::ScalarType dtype = at::kDouble)
      : parts(std::make_shared<Parts>(dtype)),
        parameters(*parts),
        gradients(parameters),
        owned(everything(parameters)),
        optimizer(make_optimizer(owned, config)) {
    parameters.initialize(1);
  }

  // The table's for rows 1 and 4 only.
  void make_gradients(std::int64_t seed, double scale = 1) {
    torch::manual_seed(seed);
    gradients.clear();
    for (const auto& p : parameters.parameters())
      if (!p.rows) p.tensor.grad().copy_(scale * torch::randn_like(p.tensor));
    parts->rows->add(at::tensor({1, 4}), scale * torch::randn({2, 4}, parts->table.options().requires_grad(false)));
  }
  std::vector<Parameter> dense() const {
    std::vector<Parameter> some;
    for (const auto& p : parameters.parameters())
      if (!p.rows) some.push_back(p);
    return some;
  }
  std::vector<Parameter> matrices() const {
    std::vector<Parameter> some;
    for (const auto& p : parameters.parameters())
      if (p.role == Role::matrix) some.push_back(p);
    return some;
  }
  void step(double lr) { optimizer->step(lr, measure(owned, alone())); }
  // All that the next step depends on, beside its gradients.
  NamedTensors named_tensors() const {
    NamedTensors all = parameters.named_tensors();
    for (auto& tensor : optimizer->named_tensors()) all.push_back(std::move(tensor));
    return all;
  }
  void set(const std::vector<at::Tensor>& values) {
    const torch::NoGradGuard no_grad;
    const auto all = named_tensors();
    for (std::size_t i = 0; i < all.size(); ++i) all[i].tensor.copy_(values.at(i));
  }
  std::vector<std::string> state_names() const {
    std::vector<std::string> names;
    for (const auto& [name, tensor, slice] : optimizer->named_tensors()) names.push_back(name);
    return names;
  }

  std::shared_ptr<Parts> parts;
  ParameterSet parameters;
  Gradients gradients;
  std::vector<Owned> owned;
  std::unique_ptr<Optimizer> optimizer;
};

template <class Config>
Config unclipped() {
  Config config;
  config.grad_clip = 0;
  config.tables.grad_clip = 0;
  config.tables.lr_multiplier = 1;
  return config;
}

}  // namespace peerless::test
