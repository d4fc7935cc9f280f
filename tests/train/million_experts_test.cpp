// A million experts on an ordinary machine: a 2-layer model whose only feed-forward block is PEER with N = 1024^2, used
// by both layers, trains for 30 steps of 4,096 tokens. (A table for each layer would be 12.9 GB of weights and
// moments.)
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>

#include "peerless/base/text.h"
#include "peerless/train/machine.h"
#include "peerless/train/training_step.h"

namespace peerless {
namespace {

constexpr std::int64_t kExperts = 1024 * 1024, kRows = 16, kLength = 256, kSteps = 30, kVocab = 256;
constexpr double kMemoryLimit = 12e9;

ModelConfig million_experts() {
  PeerConfig peer;
  peer.num_experts = kExperts;
  peer.table = "pool";
  ModelConfig config;
  config.n_layers = 2;
  config.d_model = 256;
  config.ffw = peer;
  return config;
}

std::string corpus() {
  std::string all;
  for (const char* name : {"stories.jsonl", "sums.txt", "counters.txt", "languages.txt"}) {
    std::ifstream file(concat("data/corpus/", name), std::ios::binary);
    all.append(std::istreambuf_iterator<char>(file), {});
  }
  return all;
}

// Consecutive bytes of the text, around its end to its beginning.
Batch batch_at(const std::string& text, std::size_t position) {
  Batch batch{.batch = kRows, .seq_len = kLength};
  for (std::int64_t i = 0; i < kRows * kLength; ++i, ++position) {
    batch.inputs.push_back(static_cast<unsigned char>(text[position % text.size()]));
    batch.targets.push_back(static_cast<unsigned char>(text[(position + 1) % text.size()]));
  }
  batch.mask.assign(batch.inputs.size(), 1);
  return batch;
}

double share_of_rows_updated(const at::Tensor& second_moment) {
  constexpr std::int64_t kPiece = 1 << 16;
  std::int64_t updated = 0;
  for (std::int64_t row = 0; row < kExperts; row += kPiece)
    updated += second_moment.narrow(0, row, kPiece).flatten(1).ne(0).any(1).sum().item<std::int64_t>();
  return static_cast<double>(updated) / static_cast<double>(kExperts);
}

TEST(MillionExperts, TrainInsideTwelveGigabytes) {
  const auto text = corpus();
  const auto model = std::make_shared<LanguageModel>(million_experts(), kVocab, kLength, at::kFloat, at::kFloat);
  TrainingStep step(*model, AdamWConfig{}, alone());
  step.parameters().initialize(1);

  double first = 0, last = 0, seconds = 0;
  for (std::int64_t i = 0; i < kSteps; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto report = step.run({.targets = kRows * kLength, .lr = 1e-3},
                                 [&] { return batch_at(text, static_cast<std::size_t>(i * kRows * kLength)); });
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    ASSERT_FALSE(report.skipped);
    (i == 0 ? first : last) = report.loss;
  }
  const auto moments = step.named_tensors();
  const auto second = std::find_if(moments.begin(), moments.end(),
                                   [](const auto& t) { return t.name == "optim.second.decoder.tables.pool.weight"; });
  ASSERT_NE(second, moments.end());
  const double updated = share_of_rows_updated(second->tensor);
  const auto memory = static_cast<double>(peak_resident_bytes());
  std::cout << "a million experts: loss " << first << " -> " << last << ", " << 100 * updated
            << "% of the rows changed, " << human_bytes(memory) << " at most, " << seconds / kSteps << " s per step\n";
  EXPECT_LT(last, first - 0.5);
  EXPECT_GT(updated, 1.0 / 3);
  EXPECT_LT(memory, kMemoryLimit);
}

}  // namespace
}  // namespace peerless
