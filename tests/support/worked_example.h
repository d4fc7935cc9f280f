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
#include "peerless/train/training_step.h"
#include "tests/support/tensor_file.h"

namespace peerless::test {

enum class ExampleDType { fp32, fp64, bf16 };  // bf16: of products; parameters are fp32
constexpr std::array<std::string_view, 3> enum_names(ExampleDType) { return {"fp32", "fp64", "bf16"}; }

struct ExampleConfig {
  std::int64_t vocab_size = 0;
  ExampleDType dtype = ExampleDType::fp32;
  ModelConfig model;
  OptimConfig optim;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("vocab_size", c.vocab_size, AtLeast{1}, "token ids");
    visit("dtype", c.dtype, Any{}, "what is computed in");
    visit("model", c.model, Any{}, "the architecture");
    visit("optim", c.optim, Any{}, "the optimizer; its lr holds in every step");
  }
};

inline std::shared_ptr<LanguageModel> model_of(const TensorFile& example, const ExampleConfig& config) {
  const auto stored = config.dtype == ExampleDType::fp64 ? at::kDouble : at::kFloat;
  const auto compute = config.dtype == ExampleDType::bf16 ? at::kBFloat16 : stored;
  auto model = std::make_shared<LanguageModel>(config.model, config.vocab_size, example.at("inputs").size(2),
                                               at::TensorOptions(stored), compute);
  const ParameterSet parameters(*model);
  const torch::NoGradGuard no_grad;
  for (const auto& parameter : parameters.parameters()) parameter.tensor.copy_(example.at("model." + parameter.name));
  return model;
}

inline Batch batch_of(const TensorFile& example, std::int64_t step) {
  const auto copy = [&](const char* name, auto& into) {
    using Value = typename std::decay_t<decltype(into)>::value_type;
    const auto values = example.at(name)[step].contiguous();
    into.assign(values.const_data_ptr<Value>(), values.const_data_ptr<Value>() + values.numel());
  };
  Batch batch{.batch = example.at("inputs").size(1), .seq_len = example.at("inputs").size(2)};
  copy("inputs", batch.inputs);
  copy("targets", batch.targets);
  copy("mask", batch.mask);
  return batch;
}

// Trains S steps by the code that `train` runs.
//
//   loss [S]                         of each step, z-loss included
//   grad_norm, table_grad_norm [S]   before clipping
//   logits, gradient.<name>          of the last step, its weights before the update; what is clipped depends on the
//                                    update's kernel, so only without clipping the gradients are worth comparing
//   model.<name>, optim.<...>        at the end
//   evaluated_logits                 at the end, of the last batch, in evaluation
inline NamedTensors work(const TensorFile& example) {
  const auto config = config::parse<ExampleConfig>(example.metadata.at("config"), "config");
  const auto model = model_of(example, config);
  TrainingStep step(*model, config.optim, alone());
  const auto logits_of = [&](const at::Tensor& ids) {
    const torch::NoGradGuard no_grad;
    return model->head->logits(model->decoder->forward(ids).hidden);
  };

  const auto& inputs = example.at("inputs");
  const double lr = shared_settings(config.optim).lr;
  at::Tensor logits;
  std::vector<double> losses, norms, table_norms;
  for (std::int64_t i = 0; i < inputs.size(0); ++i) {
    logits = logits_of(inputs[i]);
    const StepPlan plan{.targets = example.at("mask")[i].sum().item<std::int64_t>(), .lr = lr};
    const StepReport report = step.run(plan, [&] { return batch_of(example, i); });
    losses.push_back(report.loss + report.z_loss);
    norms.push_back(report.grad_norm);
    table_norms.push_back(report.table_grad_norm);
  }

  NamedTensors results = step.named_tensors();
  for (const auto& parameter : step.parameters().parameters())
    results.push_back({"gradient." + parameter.name, dense_grad(parameter).clone()});
  results.push_back({"logits", logits});
  results.push_back({"loss", at::tensor(losses, at::kDouble)});
  results.push_back({"grad_norm", at::tensor(norms, at::kDouble)});
  results.push_back({"table_grad_norm", at::tensor(table_norms, at::kDouble)});
  const EvaluationMode evaluation(*model);
  results.push_back({"evaluated_logits", logits_of(inputs[-1])});
  return results;
}

}  // namespace peerless::test
