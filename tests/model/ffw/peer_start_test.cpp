// The start of a PEER block: the output variance of a dense block's, whatever its options.
#include <gtest/gtest.h>

#include "tests/support/brute_force_peer.h"

namespace peerless {
namespace {

using test::LoneBlock;

constexpr std::int64_t kModel = 64, kLayers = 4;  // a width where averages settle

// Of the output at the start, as a multiple of a dense block's.
double variance_of(const PeerConfig& config) {
  torch::manual_seed(1);
  const auto y = LoneBlock::make(config, kModel, 1, at::kFloat, kLayers)->forward(torch::randn({2, 512, kModel})).y;
  return y.square().mean().item<double>() / reference_dense(kModel).output_variance(kModel, kLayers);
}

PeerConfig settled() {
  PeerConfig config = test::config_of(24, 4, 8);
  config.d_key = 32;
  return config;
}

TEST(PeerStart, HasTheOutputVarianceOfADenseBlockForEveryExpertOption) {
  for (const auto score : {RouterScore::softmax, RouterScore::sigmoid, RouterScore::relu}) {
    for (const auto activation : {Activation::gelu, Activation::relu, Activation::none}) {
      for (const bool glu : {false, true}) {
        for (const bool branch : {false, true}) {
          PeerConfig config = settled();
          config.score = score;
          config.activation = activation;
          config.glu = glu;
          if (branch) config.shared_dense = DenseConfig{.activation = DenseActivation::swiglu, .d_ff = 96};
          EXPECT_NEAR(variance_of(config), 1, 0.2) << enum_names(score)[static_cast<std::size_t>(score)] << " "
                                                   << enum_names(activation)[static_cast<std::size_t>(activation)]
                                                   << (glu ? " glu" : "") << (branch ? " with a branch" : "");
        }
      }
    }
  }
}

TEST(PeerStart, HasTheOutputVarianceOfADenseBlockForEveryRoutingOption) {
  for (const auto norm : {QueryNormKind::batch, QueryNormKind::rms, QueryNormKind::none}) {
    for (const auto keys : {ProductKeys::shared, ProductKeys::per_head}) {
      for (const auto score : {RouterScore::softmax, RouterScore::sigmoid, RouterScore::relu}) {
        PeerConfig config = settled();
        config.query_norm = norm;
        config.keys = keys;
        config.score = score;
        EXPECT_NEAR(variance_of(config), 1, 0.2) << enum_names(norm)[static_cast<std::size_t>(norm)] << " "
                                                 << enum_names(keys)[static_cast<std::size_t>(keys)] << " "
                                                 << enum_names(score)[static_cast<std::size_t>(score)];
      }
    }
  }
}

}  // namespace
}  // namespace peerless
