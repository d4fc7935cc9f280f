#include "peerless/optim/ownership.h"

#include <gtest/gtest.h>

#include <numeric>
#include <tuple>

#include "peerless/optim/norms.h"
#include "tests/support/models.h"

namespace peerless {
namespace {

std::shared_ptr<LanguageModel> model() {
  ModelConfig config = test::small_model();
  config.n_layers = 4;
  config.d_model = 256;
  config.ffw = DenseConfig{.activation = DenseActivation::swiglu, .d_ff = 704};
  MoeConfig mixture = MoeConfig::small();
  mixture.num_experts = 12;
  mixture.d_expert = 64;
  config.layers = {{LayerSet{LayerRange{3, 3}}, mixture}};
  return test::make_model(config, /*vocab_size=*/1000);
}

std::int64_t elements_of(const std::vector<Shares>& owners, std::int64_t rank) {
  return std::accumulate(owners.begin(), owners.end(), std::int64_t{0}, [&](std::int64_t sum, const Shares& shares) {
    return sum + shares[static_cast<std::size_t>(rank)].size();
  });
}

class Deal : public testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Processes, Deal, testing::Values(1, 2, 3, 4, 7));

TEST_P(Deal, GivesEachElementToOneProcess) {
  const auto some_model = model();
  const ParameterSet parameters(*some_model);
  for (const OptimConfig& config : {OptimConfig(AdamWConfig()), OptimConfig(MuonConfig())}) {
    const auto owners = deal(parameters, config, GetParam());
    ASSERT_EQ(owners.size(), parameters.parameters().size());
    for (std::size_t i = 0; i < owners.size(); ++i) {
      std::int64_t next = 0;
      for (const auto& share : owners[i]) {
        EXPECT_EQ(share.begin, next);
        next = share.end;
      }
      EXPECT_EQ(next, parameters.parameters()[i].tensor.numel());
    }
  }
}

TEST_P(Deal, GivesAboutAsMuchToEach) {
  const auto some_model = model();
  const ParameterSet parameters(*some_model);
  const auto owners = deal(parameters, AdamWConfig(), GetParam());
  const auto mean = static_cast<double>(parameters.num_elements()) / static_cast<double>(GetParam());
  for (std::int64_t rank = 0; rank < GetParam(); ++rank)
    EXPECT_NEAR(static_cast<double>(elements_of(owners, rank)), mean, 0.02 * mean) << rank;
}

TEST_P(Deal, GivesMatricesOfMuonWhole) {
  const auto some_model = model();
  const ParameterSet parameters(*some_model);
  const auto owners = deal(parameters, MuonConfig(), GetParam());
  std::vector<std::int64_t> load(static_cast<std::size_t>(GetParam()));
  std::int64_t largest = 0;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    const auto& [name, tensor] = std::tie(parameters.parameters()[i].name, parameters.parameters()[i].tensor);
    if (parameters.parameters()[i].role != Role::matrix) continue;
    const std::int64_t matrix = tensor.size(-2) * tensor.size(-1);
    largest = std::max(largest, matrix);
    for (std::size_t r = 0; r < owners[i].size(); ++r) {
      EXPECT_EQ(owners[i][r].begin % matrix, 0) << name;
      load[r] += owners[i][r].size();
    }
  }
  const auto [least, most] = std::minmax_element(load.begin(), load.end());
  EXPECT_LE(*most - *least, largest);
}

// A norm's blocks begin where they do in the whole, so that its bits do not depend on who has them.
TEST_P(Deal, CutsBetweenBlocksOfNorms) {
  const auto odd = test::make_model([] {
    ModelConfig config = test::small_model();
    config.ffw = MoeConfig::small();  // 6 x 16: eight of its matrices make three blocks
    return config;
  }());
  for (const auto& some_model : {model(), odd}) {
    for (const OptimConfig& config : {OptimConfig(AdamWConfig()), OptimConfig(MuonConfig())}) {
      for (const auto& shares : deal(ParameterSet(*some_model), config, GetParam()))
        for (const auto& share : shares) {
          EXPECT_TRUE(share.size() == 0 || share.begin % kNormBlock == 0);
        }
    }
  }
}

}  // namespace
}  // namespace peerless
