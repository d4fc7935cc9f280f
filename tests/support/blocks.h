// Feed-forward blocks by themselves, outside a transformer.
#pragma once

#include <torch/types.h>

#include <map>

#include "peerless/model/evaluation_mode.h"
#include "peerless/model/ffw/ffw_kinds.h"
#include "peerless/params/parameter_set.h"

namespace peerless::test {

// A block with tables of its own, initialised from a seed.
class LoneBlock : public torch::nn::Module, public Tables {
 public:
  static std::shared_ptr<LoneBlock> make(const FfwConfig& config, std::int64_t d_model, std::uint64_t seed = 1,
                                         at::ScalarType dtype = at::kFloat, std::int64_t n_layers = 2) {
    auto lone = std::make_shared<LoneBlock>(dtype);
    lone->block_ =
        lone->register_module("ffw", build_ffw({d_model, n_layers, 0, at::TensorOptions(dtype), lone.get()}, config));
    lone->parameters_ = std::make_unique<ParameterSet>(*lone);
    lone->parameters_->initialize(seed);
    return lone;
  }
  explicit LoneBlock(at::ScalarType dtype) : dtype_(dtype) {}

  std::shared_ptr<RowTable> get(const TableUse& use, const Init& init) override {
    auto& table = tables_[use.name];
    if (!table)
      table =
          register_module(use.name, std::make_shared<RowTable>(use.rows, use.width, init, at::TensorOptions(dtype_)));
    return table;
  }

  Ffw& block() { return *block_; }
  // Without token ids: all different ones.
  FfwOutput forward(const at::Tensor& x, const at::Tensor& token_ids = {}) {
    return block_->forward({x, token_ids.defined() ? token_ids : ids_for(x), {}});
  }
  // In evaluation, all tokens counted.
  FfwOutput evaluate(const at::Tensor& x) {
    const EvaluationMode evaluation(*this);
    return block_->forward({x, ids_for(x), at::ones({x.size(0), x.size(1)}, at::kBool)});
  }
  static at::Tensor ids_for(const at::Tensor& x) {
    return at::arange(x.size(0) * x.size(1), at::kLong).view({x.size(0), x.size(1)});
  }
  const ParameterSet& parameters_of() const { return *parameters_; }
  std::shared_ptr<RowTable> only_table() const { return tables_.begin()->second; }

 private:
  at::ScalarType dtype_;
  std::map<std::string, std::shared_ptr<RowTable>> tables_;
  std::shared_ptr<Ffw> block_;
  std::unique_ptr<ParameterSet> parameters_;
};

// The mean square of the outputs of blocks at their start, for inputs of unit variance.
inline double mean_square_at_the_start(const FfwConfig& config, std::int64_t d_model) {
  constexpr std::int64_t kTokens = 512;
  constexpr int kSeeds = 8;
  double mean = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    torch::manual_seed(static_cast<std::int64_t>(seed));
    const auto block = LoneBlock::make(config, d_model, seed);
    mean += block->forward(torch::randn({1, kTokens, d_model})).y.square().mean().item<double>() / kSeeds;
  }
  return mean;
}

}  // namespace peerless::test
