#include "peerless/optim/adamw.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/brute_force_peer.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::same_bits;

// A module with a parameter of each role that the optimizer tells apart, and a table.
class Parts : public Module {
 public:
  explicit Parts(at::ScalarType dtype) : Module(at::TensorOptions(dtype)) {
    matrix = make_parameter("matrix", {3, 4}, Role::matrix, Init::normal(1));
    vector = make_parameter("vector", {5}, Role::vector, Init::normal(1));
    router = make_parameter("router", {2, 4}, Role::router, Init::normal(1));
    embedding = make_parameter("embedding", {4, 3}, Role::embedding, Init::normal(1));
    head = make_parameter("head", {4, 3}, Role::head, Init::normal(1));
    rows = std::make_shared<RowGrad>(6, 4, options());
    table = make_table("table", at::empty({6, 4}, options()), Init::normal(1), rows);
  }
  at::Tensor matrix, vector, router, embedding, head, table;
  std::shared_ptr<RowGrad> rows;
};

struct Rig {
  explicit Rig(const AdamWConfig& config, at::ScalarType dtype = at::kDouble)
      : parts(std::make_shared<Parts>(dtype)),
        parameters(*parts),
        gradients(parameters),
        optimizer(parameters, config) {
    parameters.initialize(1);
  }

  // Gradients as backward would leave them; the table's for rows 1 and 4 only.
  void make_gradients(std::int64_t seed, double scale = 1) {
    torch::manual_seed(seed);
    gradients.clear();
    for (const auto& p : parameters.parameters())
      if (!p.rows) p.tensor.grad().copy_(scale * torch::randn_like(p.tensor));
    parts->rows->add(at::tensor({1, 4}), scale * torch::randn({2, 4}, parts->table.options().requires_grad(false)));
  }
  std::vector<Parameter> dense() const {
    std::vector<Parameter> some;
    for (const auto& p : parameters.parameters())
      if (!p.rows) some.push_back(p);
    return some;
  }
  void step(double lr) { optimizer.step(lr, measure(gradients)); }

  std::shared_ptr<Parts> parts;
  ParameterSet parameters;
  Gradients gradients;
  AdamW optimizer;
};

AdamWConfig unclipped() {
  AdamWConfig config;
  config.grad_clip = 0;
  config.tables.grad_clip = 0;
  config.tables.lr_multiplier = 1;
  return config;
}

TEST(AdamW, EqualsLibTorchsAdamWWithDecayOnMatricesOnly) {
  Rig rig(unclipped());
  std::vector<at::Tensor> twins;
  for (const auto& p : rig.dense()) twins.push_back(p.tensor.detach().clone().requires_grad_());
  const auto options = [](double decay) {
    return torch::optim::AdamWOptions(1e-2).betas({0.9, 0.95}).eps(1e-8).weight_decay(decay);
  };
  ASSERT_EQ(rig.dense().front().name, "matrix");
  torch::optim::AdamW decayed({twins.front()}, options(0.1)),
      others(std::vector<at::Tensor>(twins.begin() + 1, twins.end()), options(0));
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
  AdamW optimizer(parameters, AdamWConfig{});
  for (std::int64_t step = 0; step < 3; ++step) {
    torch::manual_seed(step);
    const auto x = torch::randn({1, 5, 8});
    const auto ids = test::best_ids(test::every_score(*block, config, x).detach(), config.top_k);
    const auto before = block->only_table()->weight().detach().clone();
    gradients.clear();
    block->forward(x).y.square().sum().backward();
    optimizer.step(1e-2, measure(gradients));
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
  const GradNorms norms = measure(free.gradients);
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

TEST(Norms, AreOfAllDenseParametersAndOfAllTables) {
  Rig rig(unclipped());
  rig.make_gradients(0);
  double dense = 0;
  for (const auto& p : rig.parameters.parameters())
    if (!p.rows) dense += p.tensor.grad().square().sum().item<double>();
  const GradNorms norms = measure(rig.gradients);
  EXPECT_NEAR(norms.dense, std::sqrt(dense), 1e-12);
  EXPECT_NEAR(norms.tables, rig.parts->rows->values().norm().item<double>(), 1e-12);
  EXPECT_TRUE(norms.finite());
}

TEST(Norms, AreNotFiniteWhenOneElementIsNot) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Rig dense(unclipped()), table(unclipped());
    dense.make_gradients(0);
    dense.parts->vector.grad()[3] = bad;
    EXPECT_FALSE(measure(dense.gradients).finite());
    table.make_gradients(0);
    table.parts->rows->add(at::tensor({4}), at::full({1, 4}, bad, at::kDouble));
    EXPECT_FALSE(measure(table.gradients).finite());
  }
}

TEST(ClipFactor, LeavesSmallNormsAloneAndScalesLargeOnes) {
  EXPECT_EQ(clip_factor(0.5, 1), 1);
  EXPECT_EQ(clip_factor(1e9, 0), 1);
  EXPECT_NEAR(clip_factor(4, 1), 0.25, 1e-6);
}

}  // namespace
}  // namespace peerless
