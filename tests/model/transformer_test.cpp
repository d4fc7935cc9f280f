#include "peerless/model/transformer.h"

#include <gtest/gtest.h>
#include <torch/nn/functional/loss.h>

#include "peerless/model/evaluation_mode.h"
#include "tests/support/every_block.h"
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

// A block with a table in both layers: of one name, or each with its own.
template <class Config>
ModelConfig with_tables(std::optional<std::string> name) {
  ModelConfig model = small_model();
  Config ffw = Config::small();
  ffw.table = std::move(name);
  model.ffw = ffw;
  return model;
}

std::vector<ModelConfig> architectures() {
  std::vector<ModelConfig> all{small_model(), small_peer_model()};
  for (const auto norm : {QkNorm::head, QkNorm::full}) {
    all.push_back(small_model());
    all.back().qk_norm = norm;
    all.back().head_dim = 6;
    all.back().tie_embeddings = false;
  }
  all.push_back(with_tables<PeerConfig>("pool"));
  all.push_back(with_tables<PkmConfig>("pool"));
  for (const auto& ffw : test::one_of_each(static_cast<FfwConfig*>(nullptr))) {
    all.push_back(small_model());
    all.back().layers = {{LayerSet{LayerRange{1, 1}}, ffw}};
  }
  return all;
}

TEST(Transformer, ClaimsItsTrueNumberOfParameters) {
  for (const auto& config : architectures())
    EXPECT_EQ(config.cost(12, 50).parameters, ParameterSet(*make_model(config)).num_elements());
}

// Attention q, k, v, o: 16 x 16, 16 x 8 twice, 16 x 16; two norms of 16; swiglu 3 x 16 x 24. PEER: queries 2 heads x 6
// x 16, their norm 2 x 12, sub-keys 2 x 4 x 3, rows 2 heads x 3 experts x 32.
TEST(Transformer, ClaimsTheActiveParametersThatAreCountedByHand) {
  constexpr std::int64_t kAttention = 768, kNorms = 32, kDense = 1152, kPeer = 192 + 24 + 24 + 192;
  constexpr std::int64_t kFinalNorm = 16, kVocab = 64 * 16;
  const auto active = [](ModelConfig config, bool tied) {
    config.tie_embeddings = tied;
    return config.cost(12, 50).active_parameters;
  };
  constexpr std::int64_t kDenseModel = 2 * (kAttention + kNorms + kDense) + kFinalNorm + kVocab;
  EXPECT_EQ(active(small_model(), true), kDenseModel);
  EXPECT_EQ(active(small_model(), false), kDenseModel + kVocab);
  EXPECT_EQ(active(small_peer_model(), true), kDenseModel - kDense + kPeer);
  EXPECT_EQ(active(small_peer_model(), false), kDenseModel - kDense + kPeer + kVocab);
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
    EXPECT_TRUE(near(a.slice(1, 0, 7), b.slice(1, 0, 7)));
    EXPECT_FALSE(near(a.slice(1, 7), b.slice(1, 7)));
  }
}

TEST(Transformer, SeesNoOtherSequence) {
  for (const auto& config : architectures()) {
    const auto model = make_model(config);
    const EvaluationMode evaluation(*model);
    const auto ids = some_ids(2, 12);
    auto other = ids.clone();
    other[1] = (other[1] + 1) % 50;
    const auto a = model->decoder->forward(ids).hidden, b = model->decoder->forward(other).hidden;
    EXPECT_TRUE(near(a[0], b[0]));
    EXPECT_FALSE(near(a[1], b[1]));
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

template <class Config>
class SharedTable : public testing::Test {};
using BlocksWithTables = testing::Types<PeerConfig, PkmConfig>;
TYPED_TEST_SUITE(SharedTable, BlocksWithTables);

TYPED_TEST(SharedTable, IsThereOnce) {
  const auto model = make_model(with_tables<TypeParam>("pool"));
  std::vector<std::string> tables;
  for (const auto& p : ParameterSet(*model).parameters())
    if (p.rows) tables.push_back(p.name);
  EXPECT_EQ(tables, std::vector<std::string>{"decoder.tables.pool.weight"});
}

TYPED_TEST(SharedTable, GetsTheGradientsOfAllItsLayers) {
  const auto shared = make_model(with_tables<TypeParam>("pool"), 50, 12, at::kDouble),
             apart = make_model(with_tables<TypeParam>(std::nullopt), 50, 12, at::kDouble);
  const ParameterSet of_shared(*shared), of_apart(*apart);
  const auto& pool = of_shared.at("decoder.tables.pool.weight");
  {
    const torch::NoGradGuard no_grad;
    for (const auto& p : of_apart.parameters()) p.tensor.copy_(p.rows ? pool.tensor : of_shared.at(p.name).tensor);
  }
  const auto ids = some_ids(2, 12);
  for (const auto& model : {shared, apart}) model->decoder->forward(ids).hidden.square().sum().backward();
  EXPECT_TRUE(near(dense_grad(pool), dense_grad(of_apart.at("decoder.tables.layer0.weight")) +
                                         dense_grad(of_apart.at("decoder.tables.layer1.weight"))));
  for (const auto& p : of_apart.parameters()) {
    if (p.rows) continue;
    EXPECT_TRUE(near(dense_grad(of_shared.at(p.name)), dense_grad(p))) << p.name;
  }
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

// A choice between two tokens must not hang on 8 bits of a logit.
TEST(Head, RoundsNoLogitToBf16) {
  const auto model = std::make_shared<LanguageModel>(small_model(), 50, 12, at::kFloat, at::kBFloat16);
  ParameterSet(*model).initialize(1);
  const EvaluationMode evaluation(*model);
  const auto ids = some_ids(2, 12);
  const auto hidden = model->decoder->forward(ids).hidden;
  ASSERT_EQ(hidden.scalar_type(), at::kBFloat16);
  const auto logits = model->head->logits(hidden);
  EXPECT_TRUE(near(logits, hidden.to(at::kFloat).matmul(model->decoder->embedding().narrow(0, 0, 50).t())));
  const auto losses = -logits.log_softmax(-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1);
  EXPECT_TRUE(near(model->head->token_losses(hidden, ids), losses));
  const auto evaluated = model->head->loss(hidden, ids, at::ones({2, 12}, at::kByte)).cross_entropy;
  EXPECT_NEAR(evaluated.item<double>() / losses.sum().item<double>(), 1, 1e-6);
}

TEST(ModelConfig, RefusesToShareATableBetweenLayersThatWouldStartItInTwoWays) {
  const auto refusal = [](auto&& change) -> std::string {
    ModelConfig config;
    PeerConfig one = PeerConfig::small();
    one.table = "t";
    PeerConfig other = one;
    change(other);
    config.layers = {{LayerSet{LayerRange{1, 1}}, one}, {LayerSet{LayerRange{2, 2}}, other}};
    try {
      config.check();
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::config);
      return error.what();
    }
  };
  const auto differs = [](const std::string& what) {
    return "table 't' would start in two ways: " + what +
           " in layer 2; layers that share a table must agree in score, heads, top_k, query_norm, activation, "
           "shared_dense";
  };
  EXPECT_EQ(refusal([](auto& c) { c.score = RouterScore::relu; }), differs("score softmax, and relu"));
  EXPECT_EQ(refusal([](auto& c) { c.activation = Activation::none; }), differs("activation gelu, and none"));
  EXPECT_EQ(refusal([](auto& c) { c.heads = 1; }), differs("heads 2, and 1"));
  EXPECT_EQ(refusal([](auto& c) { c.top_k = 1; }), differs("top_k 3, and 1"));
  EXPECT_EQ(refusal([](auto& c) { c.query_norm = QueryNormKind::none; }), differs("query_norm batch, and none"));
  EXPECT_EQ(refusal([](auto& c) { c.shared_dense = DenseConfig{}; }), differs("shared_dense none, and given"));
  EXPECT_EQ(
      refusal([](auto& c) { c.glu = true; }),
      "table 't' is used in two shapes: 16 x 512, and 16 x 768 in layer 2; layers share a table only when both are "
      "equal");
  EXPECT_EQ(refusal([](auto& c) { c.keys = ProductKeys::per_head, c.d_key = 12; }), "");
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
