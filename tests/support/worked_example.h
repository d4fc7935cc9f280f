// A worked example: a small model, its weights and some batches, in one safetensors file that PyTorch can read and
// write.
//
//   metadata "config"        YAML: ExampleConfig
//   inputs, targets, mask    [S, B, T], a batch for each of S training steps
//   model.<parameter>        weights at the start, as a checkpoint names them
//   expected.<result>        what must come of it (tests/golden), in the names that `work` gives
#pragma once

#include "peerless/config/config.h"
#include "peerless/model/evaluation_mode.h"
#include "peerless/optim/adamw.h"
#include "peerless/train/step_gradient.h"
#include "tests/support/tensor_file.h"

namespace peerless::test {

enum class ExampleDType { fp32, fp64, bf16 };  // bf16: of products; parameters are fp32
constexpr std::array<std::string_view, 3> enum_names(ExampleDType) { return {"fp32", "fp64", "bf16"}; }

struct ExampleConfig {
  std::int64_t vocab_size = 0;
  ExampleDType dtype = ExampleDType::fp32;
  ModelConfig model;
  AdamWConfig optim;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("vocab_size", c.vocab_size, AtLeast{1}, "token ids");
    visit("dtype", c.dtype, Any{}, "what is computed in");
    visit("model", c.model, Any{}, "the architecture");
    visit("optim", c.optim, Any{}, "the optimizer");
  }
};

inline std::shared_ptr<LanguageModel> make_model(const ExampleConfig& config, std::int64_t max_positions) {
  const auto parameters = config.dtype == ExampleDType::fp64 ? at::kDouble : at::kFloat;
  const auto compute = config.dtype == ExampleDType::bf16 ? at::kBFloat16 : parameters;
  return std::make_shared<LanguageModel>(config.model, config.vocab_size, max_positions, at::TensorOptions(parameters),
                                         compute);
}

// Trains S steps by the code that `train` runs, at a constant learning rate.
//
//   loss [S]                     before each update, z-loss included
//   logits, gradient.<name>      of the last step, before its update
//   model.<name>, optim.<...>    at the end
//   evaluated_logits             at the end, of the last batch, in evaluation
inline NamedTensors work(const TensorFile& example) {
  const auto config = config::parse<ExampleConfig>(example.metadata.at("config"), "config");
  const auto &inputs = example.at("inputs"), &targets = example.at("targets"), &mask = example.at("mask");
  const auto model = make_model(config, inputs.size(2));
  const ParameterSet parameters(*model);
  for (const auto& parameter : parameters.parameters()) {
    const torch::NoGradGuard no_grad;
    parameter.tensor.copy_(example.at("model." + parameter.name));
  }
  Gradients gradients(parameters);
  AdamW optimizer(parameters, config.optim);

  NamedTensors results;
  const auto logits_of = [&](const at::Tensor& ids) {
    return model->head->logits(model->decoder->forward(ids).hidden).detach();
  };
  std::vector<double> losses;
  for (std::int64_t i = 0; i < inputs.size(0); ++i) {
    const bool last = i + 1 == inputs.size(0);
    if (last) results.emplace_back("logits", logits_of(inputs[i]));
    gradients.clear();
    StepGradient step(*model, mask[i].sum().item<std::int64_t>(), /*micro_batches=*/1);
    step.add({inputs[i], targets[i], mask[i]});
    losses.push_back(step.loss() + step.z_loss());
    if (last)
      for (const auto& parameter : parameters.parameters())
        results.emplace_back("gradient." + parameter.name, dense_grad(parameter).clone());
    optimizer.step(config.optim.lr, measure(gradients));
    model->decoder->commit(step.stats());
  }
  results.emplace_back("loss", at::tensor(losses, at::kDouble));
  const EvaluationMode evaluation(*model);
  results.emplace_back("evaluated_logits", logits_of(inputs[-1]));
  for (const auto& tensors : {parameters.named_tensors(), optimizer.named_tensors()})
    results.insert(results.end(), tensors.begin(), tensors.end());
  return results;
}

}  // namespace peerless::test
