#include "peerless/model/transformer.h"

#include <gtest/gtest.h>

#include "peerless/model/evaluation_mode.h"
#include "tests/support/flop_counter.h"
#include "tests/support/models.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::make_model;
using test::near;
using test::same_bits;
using test::small_model;
using test::small_peer_model;
using test::some_ids;

std::vector<ModelConfig> architectures() {
  std::vector<ModelConfig> all{small_model(), small_peer_model()};
  for (const auto norm : {QkNorm::head, QkNorm::full}) {
    all.push_back(small_model());
    all.back().qk_norm = norm;
    all.back().head_dim = 6;
    all.back().tie_embeddings = false;
  }
  ModelConfig shared = small_model();
  auto peer = PeerConfig::small();
  peer.table = "pool";
  shared.ffw = peer;
  all.push_back(shared);
  return all;
}

TEST(Transformer, ClaimsItsTrueNumberOfParameters) {
  for (const auto& config : architectures())
    EXPECT_EQ(config.cost(12, 50).parameters, ParameterSet(*make_model(config)).num_elements());
}

TEST(Transformer, ClaimsTheFlopsThatAreCounted) {
  for (const auto& config : architectures()) {
    const auto model = make_model(config);
    const auto ids = some_ids(3, 12);
    const torch::NoGradGuard no_grad;
    const test::FlopCounter counter;
    const auto hidden = model->decoder->forward(ids).hidden;
    model->head->loss(hidden, ids, at::ones({3, 12}, at::kByte));
    EXPECT_EQ(config.cost(12, 50).flops * 36, counter.flops());
  }
}

TEST(Transformer, SeesNoLaterToken) {
  for (const auto& config : architectures()) {
    const auto model = make_model(config);
    const EvaluationMode evaluation(*model);
    const auto ids = some_ids(1, 12);
    auto other = ids.clone();
    other.slice(1, 7) = (other.slice(1, 7) + 1) % 50;
    const auto a = model->decoder->forward(ids).hidden, b = model->decoder->forward(other).hidden;
    EXPECT_TRUE(same_bits(a.slice(1, 0, 7), b.slice(1, 0, 7)));
    EXPECT_FALSE(at::equal(a.slice(1, 7), b.slice(1, 7)));
  }
}

TEST(Transformer, GoesOnFromItsCacheAsIfItReadAll) {
  for (const auto& config : architectures()) {
    const auto model = make_model(config, 50, 12, at::kDouble);
    const EvaluationMode evaluation(*model);
    const auto ids = some_ids(2, 12);
    const auto all = model->decoder->forward(ids).hidden;
    KvCache cache = model->decoder->make_cache(2, 12);
    EXPECT_TRUE(near(model->decoder->forward(ids.slice(1, 0, 5), {}, &cache).hidden, all.slice(1, 0, 5)));
    for (std::int64_t i = 5; i < 12; ++i)
      EXPECT_TRUE(near(model->decoder->forward(ids.slice(1, i, i + 1), {}, &cache).hidden, all.slice(1, i, i + 1)));
    EXPECT_EQ(cache.length, 12);
  }
}

TEST(Transformer, SharesATableBetweenLayersThatNameIt) {
  const auto config = architectures().back();
  ASSERT_EQ(config.tables().size(), 1u);
  const auto model = make_model(config);
  const ParameterSet parameters(*model);
  const auto& table = parameters.at("decoder.tables.pool.weight");
  const auto ids = some_ids(1, 12);
  const auto hidden = model->decoder->forward(ids).hidden;
  hidden.square().sum().backward();
  // Each layer retrieves 2 heads x 3 experts for 12 tokens out of 16: the rows of both are in one gradient.
  EXPECT_GT(table.rows->size(), 0);
  EXPECT_LE(table.rows->size(), 16);
  EXPECT_EQ(table.tensor.sizes(), at::IntArrayRef({16, 32}));
}

TEST(Transformer, CommitsStatisticsToTheLayerTheyComeFrom) {
  const auto model = make_model(small_peer_model());
  const ParameterSet parameters(*model);
  const auto commits = [&] { return parameters.buffers().back().tensor.item<std::int64_t>(); };
  const auto out = model->decoder->forward(some_ids(2, 12));
  EXPECT_TRUE(out.stats.contains("1.query_mean"));
  EXPECT_EQ(commits(), 0);
  model->decoder->commit(out.stats);
  EXPECT_EQ(commits(), 1);
}

TEST(Head, GivesPaddingNoProbabilityAndNoGradient) {
  auto config = small_model();
  config.tie_embeddings = false;
  const auto model = make_model(config);
  const ParameterSet parameters(*model);
  const auto weight = parameters.at("head.weight").tensor;
  ASSERT_EQ(weight.size(0), 64);
  const auto hidden = torch::randn({1, 12, 16});
  const auto ids = some_ids(1, 12);
  const auto loss = model->head->loss(hidden, ids, at::ones({1, 12}, at::kByte));
  const auto expected =
      torch::nn::functional::cross_entropy(hidden.view({12, 16}).matmul(weight.narrow(0, 0, 50).t()), ids.view({12}),
                                           torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum));
  EXPECT_NEAR(loss.loss.item<double>(), expected.item<double>(), 1e-4);
  loss.loss.backward();
  EXPECT_EQ(weight.grad().slice(0, 50).abs().sum().item<float>(), 0);
  EXPECT_GT(weight.grad().slice(0, 0, 50).abs().sum().item<float>(), 0);
  EXPECT_EQ(model->head->logits(hidden).size(-1), 50);
}

TEST(ModelConfig, RefusesWhatCannotBe) {
  const auto refusal = [](auto&& change) {
    ModelConfig config;
    change(config);
    try {
      config.check();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal([](auto& c) { c.n_heads = 3; }),
            "n_heads (3) must divide d_model (256), or head_dim must be given");
  EXPECT_EQ(refusal([](auto& c) { c.n_kv_heads = 3; }), "n_kv_heads (3) must divide n_heads (4)");
  EXPECT_EQ(refusal([](auto& c) {
              c.layers = {{LayerSet{LayerRange{4, 4}}, DenseConfig{}}};
            }),
            "layers.0.at: layer 4 does not exist: n_layers is 4, counted from 0");
  EXPECT_EQ(refusal([](auto& c) {
              c.layers = {{LayerSet{LayerRange{1, 2}}, DenseConfig{}}, {LayerSet{LayerRange{2, 2}}, DenseConfig{}}};
            }),
            "layers.1.at: layer 2 is already named by layers.0");
  EXPECT_EQ(refusal([](auto& c) {
              PeerConfig small = PeerConfig::small(), large = PeerConfig::small();
              small.table = large.table = "t";
              large.num_experts = 64;
              c.layers = {{LayerSet{LayerRange{1, 1}}, small}, {LayerSet{LayerRange{2, 2}}, large}};
            }),
            "table 't' is used in two shapes: 16 x 512, and 64 x 512 in layer 2; layers share a table only when both "
            "are equal");
}

}  // namespace
}  // namespace peerless
