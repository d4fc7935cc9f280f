// Times steps of training on a GPU: a model of 12 layers of width 768 in bf16, 16 sequences of 1024 tokens, by block.
// Beside it, tests/gpu/bench/peer.py times the dense one in Transformers. Their numbers: docs/performance.md.
#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <cstdio>

#include "peerless/train/setup.h"
#include "peerless/train/training_step.h"

namespace peerless {
namespace {

constexpr std::int64_t kBatch = 16, kLength = 1024, kTokens = kBatch * kLength, kVocab = 32768;
constexpr int kWarmUp = 5, kSteps = 20;

ModelConfig model_of_12_layers(const FfwConfig& ffw) {
  ModelConfig config;
  config.n_layers = 12;
  config.d_model = 768;
  config.n_heads = 12;
  config.ffw = ffw;
  return config;
}

Batch some_batch() {
  const auto ids = torch::randint(kVocab, {kTokens}, at::kLong);
  const auto* const data = ids.const_data_ptr<std::int64_t>();
  return {.batch = kBatch,
          .seq_len = kLength,
          .inputs = {data, data + kTokens},
          .targets = {data, data + kTokens},
          .mask = std::vector<std::uint8_t>(kTokens, 1),
          .unmasked = kTokens};
}

void time_steps(const char* name, const ModelConfig& config) {
  using Clock = std::chrono::steady_clock;
  const auto device = choose_device(Device::cuda);
  const auto model = std::make_shared<LanguageModel>(config, kVocab, kLength,
                                                     at::TensorOptions(at::kFloat).device(device), at::kBFloat16);
  ParameterSet(*model).initialize(1);
  TrainingStep step(*model, AdamWConfig(), alone());
  const Batch batch = some_batch();
  const StepPlan plan{.micro_batches_here = 1, .micro_batches = 1, .targets = kTokens, .lr = 1e-3};
  const auto run = [&](int steps) {
    for (int i = 0; i < steps; ++i) step.run(plan, [&] { return batch; });
    c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  };
  run(kWarmUp);
  const auto begin = Clock::now();
  run(kSteps);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count() / kSteps;
  const auto peak = at::accelerator::getDeviceStats(device.index()).allocated_bytes[0].peak;
  std::printf("%-6s %6.1f ms a step, %7.0f tokens/s, peak %.1f GiB\n", name, 1e3 * seconds,
              static_cast<double>(kTokens) / seconds, static_cast<double>(peak) / (1 << 30));
}

}  // namespace
}  // namespace peerless

int main() {
  using namespace peerless;
  const DenseConfig dense{.activation = DenseActivation::swiglu, .d_ff = 2048};
  time_steps("dense", model_of_12_layers(dense));

  MoeConfig mixture;
  mixture.num_experts = 8;
  mixture.top_k = 2;
  mixture.d_expert = 1024;
  time_steps("moe", model_of_12_layers(mixture));

  PeerConfig peer;
  peer.num_experts = 1 << 20;
  peer.heads = 8;
  peer.top_k = 16;
  peer.d_key = 128;
  auto with_peer = model_of_12_layers(dense);
  with_peer.layers = {{LayerSet{LayerRange{6, 6}}, peer}};
  time_steps("peer", with_peer);
}
