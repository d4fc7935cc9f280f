#include "peerless/optim/adamw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/optim/adamw.h>

#include <cmath>
#include <limits>

#include "tests/optim/rig.h"
#include "tests/support/brute_force_peer.h"

namespace peerless {
namespace {

using test::near;
using test::Rig;
using test::same_bits;

AdamWConfig unclipped() { return test::unclipped<AdamWConfig>(); }

TEST(AdamW, EqualsLibTorchsAdamWWithDecayOnMatricesOnly) {
  Rig rig(unclipped());
  std::vector<at::Tensor> twins;
  for (const auto& p : rig.dense()) twins.push_back(p.tensor.detach().clone().requires_grad_());
  const auto options = [](double decay) {
    return torch::optim::AdamWOptions(1e-2).betas({0.9, 0.95}).eps(1e-8).weight_decay(decay);
  };
  const auto first_other = twins.begin() + static_cast<std::ptrdiff_t>(rig.matrices().size());  // matrices come first
  torch::optim::AdamW decayed(std::vector<at::Tensor>(twins.begin(), first_other), options(0.1)),
      others(std::vector<at::Tensor>(first_other, twins.end()), options(0));
  for (std::int64_t step = 0; step < 3; ++step) {
    rig.make_gradients(step);
    for (std::size_t i = 0; i < twins.size(); ++i) twins[i].mutable_grad() = rig.dense()[i].tensor.grad().clone();
    rig.step(1e-2);
    decayed.step();
    others.step();
  }
  for (std::size_t i = 0; i < twins.size(); ++i)
    EXPECT_TRUE(near(rig.dense()[i].tensor, twins[i])) << rig.dense()[i].name;
}

TEST(AdamW, ChangesExactlyTheTouchedRowsOfATable) {
  Rig rig(unclipped());
  const auto before = rig.parts->table.detach().clone();
  rig.make_gradients(0);
  rig.step(1e-2);
  const auto changed = (rig.parts->table.detach() != before).any(1);
  EXPECT_TRUE(same_bits(changed, at::tensor({0, 1, 0, 0, 1, 0}).to(at::kBool)));
}

// Through a block as the model has it: retrieval, experts, row gradients, update.
TEST(AdamW, ChangesExactlyTheRowsThatABlockRetrieved) {
  const auto config = test::config_of(16, /*heads=*/2, /*top_k=*/3);
  const auto block = test::LoneBlock::make(config, 8);
  const auto& parameters = block->parameters_of();
  Gradients gradients(parameters);
  const auto owned = everything(parameters);
  AdamW optimizer(owned, AdamWConfig{});
  for (std::int64_t step = 0; step < 3; ++step) {
    torch::manual_seed(step);
    const auto x = torch::randn({1, 5, 8});
    const auto ids = test::best_ids(test::every_score(*block, config, x).detach(), config.top_k);
    const auto before = block->only_table()->weight().detach().clone();
    gradients.clear();
    block->forward(x).y.square().sum().backward();
    optimizer.step(1e-2, measure(owned, alone()));
    const auto changed = (block->only_table()->weight().detach() != before).any(1).nonzero().flatten();
    EXPECT_TRUE(same_bits(changed, std::get<0>(at::_unique(ids, /*sorted=*/true)))) << step;
  }
}

TEST(AdamW, UpdatesAllRowsWhenTablesAreDense) {
  auto config = unclipped();
  config.tables.update = TableUpdate::dense;
  config.tables.weight_decay = 0.1;
  Rig rig(config);
  const auto twin = rig.parts->table.detach().clone().requires_grad_();
  torch::optim::AdamW reference({twin}, torch::optim::AdamWOptions(1e-2).betas({0.9, 0.95}).weight_decay(0.1));
  for (std::int64_t step = 0; step < 3; ++step) {
    rig.make_gradients(step);
    twin.mutable_grad() = rig.parts->rows->dense();
    rig.step(1e-2);
    reference.step();
  }
  EXPECT_TRUE(near(rig.parts->table, twin));
}

TEST(AdamW, ClipsDenseParametersAndTablesByTheirOwnNorms) {
  auto config = unclipped();
  Rig free(config);
  config.grad_clip = 0.5;
  config.tables.grad_clip = 0.25;
  Rig clipped(config);
  free.make_gradients(0);
  const GradNorms norms = measure(free.owned, alone());
  clipped.make_gradients(0);
  for (const auto& p : free.parameters.parameters())
    if (!p.rows) p.tensor.grad().mul_(0.5 / norms.dense);
  free.parts->rows->values().mul_(0.25 / norms.tables);
  free.step(1e-2);
  clipped.step(1e-2);
  constexpr double kAlmost =
      1e-5;  // LibTorch's clipping adds 1e-6 to the norm, and its kernel takes the factor in fp32
  EXPECT_LT(test::error(clipped.parts->matrix, free.parts->matrix), kAlmost);
  EXPECT_LT(test::error(clipped.parts->table, free.parts->table), kAlmost);
}

TEST(AdamW, MultipliesTheRateOfTables) {
  auto config = unclipped();
  Rig once(config);
  config.tables.lr_multiplier = 3;
  Rig thrice(config);
  const auto start = once.parts->table.detach().clone();
  once.make_gradients(0);
  thrice.make_gradients(0);
  once.step(1e-3);
  thrice.step(1e-3);
  EXPECT_TRUE(near(thrice.parts->table - start, 3 * (once.parts->table - start)));
}

TEST(AdamW, NamesItsState) {
  EXPECT_THAT(Rig(AdamWConfig{}).state_names(),
              testing::ElementsAre("optim.num_updates", "optim.first.matrix", "optim.second.matrix", "optim.first.tall",
                                   "optim.second.tall", "optim.first.experts", "optim.second.experts",
                                   "optim.first.vector", "optim.second.vector", "optim.first.router",
                                   "optim.second.router", "optim.first.embedding", "optim.second.embedding",
                                   "optim.first.head", "optim.second.head", "optim.first.table", "optim.second.table"));
}

TEST(Norms, AreOfAllDenseParametersAndOfAllTables) {
  Rig rig(unclipped());
  rig.make_gradients(0);
  double dense = 0;
  for (const auto& p : rig.parameters.parameters())
    if (!p.rows) dense += p.tensor.grad().square().sum().item<double>();
  const GradNorms norms = measure(rig.owned, alone());
  EXPECT_NEAR(norms.dense, std::sqrt(dense), 1e-12);
  EXPECT_NEAR(norms.tables, rig.parts->rows->values().norm().item<double>(), 1e-12);
  EXPECT_TRUE(norms.finite());
}

// 1e19: its square is none in fp32, and a second moment of it would end all updates of its element.
TEST(Norms, AreNotFiniteWhenOneElementOrItsSquareIsNot) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e19}) {
    Rig dense(unclipped()), table(unclipped());
    dense.make_gradients(0);
    dense.parts->vector.grad()[3] = bad;
    EXPECT_FALSE(measure(dense.owned, alone()).finite());
    table.make_gradients(0);
    table.parts->rows->add(at::tensor({4}), at::full({1, 4}, bad, at::kDouble));
    EXPECT_FALSE(measure(table.owned, alone()).finite());
  }
}

TEST(ClipFactor, LeavesSmallNormsAloneAndScalesLargeOnes) {
  EXPECT_EQ(clip_factor(0.5, 1), 1);
  EXPECT_EQ(clip_factor(1e9, 0), 1);
  EXPECT_NEAR(clip_factor(4, 1), 0.25, 1e-6);
}

}  // namespace
}  // namespace peerless
