#include "peerless/optim/muon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/optim/rig.h"

namespace peerless {
namespace {

using test::near;
using test::Rig;
using test::same_bits;

MuonConfig unclipped() { return test::unclipped<MuonConfig>(); }

// The same from the other end: the iterations act on each singular value alone.
at::Tensor orthogonalize_by_svd(const at::Tensor& matrix) {
  const auto [u, values, v] = at::linalg_svd(matrix.to(at::kDouble), /*full_matrices=*/false);
  auto s = values / values.norm();
  for (int i = 0; i < 5; ++i) s = 3.4445 * s - 4.7750 * s.pow(3) + 2.0315 * s.pow(5);
  return u.matmul(s.diag()).matmul(v);
}

// Muon of one matrix, in fp64.
struct PlainMuon {
  at::Tensor weight, momentum;

  explicit PlainMuon(const at::Tensor& start)
      : weight(start.detach().to(at::kDouble).clone()), momentum(at::zeros_like(weight)) {}

  void step(double lr, at::Tensor gradient, const MuonConfig& config) {
    gradient = gradient.to(at::kDouble);
    const double mu = config.momentum;
    momentum = mu * momentum + (1 - mu) * gradient;
    const auto update = orthogonalize_by_svd(mu * momentum + (1 - mu) * gradient);
    const double longer = static_cast<double>(std::max(weight.size(0), weight.size(1)));
    weight = weight - lr * config.weight_decay * weight - lr * 0.2 * std::sqrt(longer) * update;
  }
};

// A mixture's experts are as many matrices.
std::vector<at::Tensor> slices(const at::Tensor& matrices) {
  return matrices.dim() == 2 ? std::vector<at::Tensor>{matrices} : matrices.detach().unbind(0);
}

class MuonIn : public testing::TestWithParam<at::ScalarType> {};
INSTANTIATE_TEST_SUITE_P(Every, MuonIn, testing::Values(at::kFloat, at::kDouble),
                         [](const auto& dtype) { return c10::toString(dtype.param); });

TEST_P(MuonIn, EqualsAPlainMuonOfEveryMatrixAndOfEveryExpert) {
  auto config = unclipped();
  config.momentum = 0.8;
  config.weight_decay = 0.3;
  Rig rig(config, GetParam());
  std::vector<PlainMuon> twins;
  for (const auto& p : rig.matrices())
    for (const auto& matrix : slices(p.tensor)) twins.emplace_back(matrix);
  ASSERT_EQ(twins.size(), 5U);
  for (std::int64_t step = 0; step < 4; ++step) {
    rig.make_gradients(step);
    auto twin = twins.begin();
    for (const auto& p : rig.matrices())
      for (const auto& gradient : slices(p.tensor.grad())) (twin++)->step(1e-2, gradient, config);
    rig.step(1e-2);
  }
  auto twin = twins.begin();
  for (const auto& p : rig.matrices())
    for (const auto& matrix : slices(p.tensor)) EXPECT_TRUE(near(matrix, (twin++)->weight)) << p.name;
}

TEST(Muon, UpdatesAllOthersAsAdamWDoesToTheBit) {
  Rig muon(MuonConfig{}), adamw(AdamWConfig{});
  for (std::int64_t step = 0; step < 3; ++step) {
    for (Rig* rig : {&muon, &adamw}) {
      rig->make_gradients(step);
      rig->step(1e-2);
    }
  }
  for (std::size_t i = 0; i < muon.parameters.parameters().size(); ++i) {
    const auto &ours = muon.parameters.parameters()[i], &theirs = adamw.parameters.parameters()[i];
    const bool same = same_bits(ours.tensor, theirs.tensor);
    EXPECT_EQ(same, ours.role != Role::matrix) << ours.name;
  }
}

TEST(Muon, NamesItsState) {
  EXPECT_THAT(
      Rig(MuonConfig{}).state_names(),
      testing::ElementsAre("optim.num_updates", "optim.first.vector", "optim.second.vector", "optim.first.router",
                           "optim.second.router", "optim.first.embedding", "optim.second.embedding", "optim.first.head",
                           "optim.second.head", "optim.first.table", "optim.second.table", "optim.momentum.matrix",
                           "optim.momentum.tall", "optim.momentum.experts"));
}

TEST(Muon, GoesOnToTheBitFromItsState) {
  const auto steps = [](Rig& rig, std::int64_t first, std::int64_t end) {
    for (std::int64_t step = first; step < end; ++step) {
      rig.make_gradients(step);
      rig.step(1e-2);
    }
  };
  Rig whole(MuonConfig{}), resumed(MuonConfig{});
  steps(whole, 0, 2);
  resumed.set(test::copy_of(whole.named_tensors()));
  steps(whole, 2, 4);
  steps(resumed, 2, 4);
  const auto expected = whole.named_tensors(), found = resumed.named_tensors();
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(same_bits(found[i].tensor, expected[i].tensor)) << expected[i].name;
}

// After one step from rest the direction knows no scale; the second mixes two gradients.
TEST(Muon, ClipsTheGradientThatEntersTheMomentum) {
  auto config = unclipped();
  Rig scaled(config), free(config);
  config.grad_clip = 0.5;
  Rig clipped(config);
  for (std::int64_t step = 0; step < 2; ++step) {
    const double scale = step == 0 ? 1 : 10;
    for (Rig* rig : {&scaled, &free, &clipped}) rig->make_gradients(step, scale);
    const double factor = clip_factor(measure(scaled.owned, alone()).dense, 0.5);
    for (const auto& p : scaled.dense()) p.tensor.grad().mul_(factor);
    for (Rig* rig : {&scaled, &free, &clipped}) rig->step(1e-2);
  }
  EXPECT_TRUE(near(clipped.parts->matrix, scaled.parts->matrix));
  EXPECT_TRUE(near(clipped.parts->experts, scaled.parts->experts));
  EXPECT_GT(test::error(free.parts->matrix, scaled.parts->matrix), 1e-4);
}

TEST(Muon, OnlyDecaysAMatrixWhoseGradientIsZero) {
  Rig some(unclipped()), all(unclipped());
  const auto matrix = some.parts->matrix.detach().clone(), expert = some.parts->experts.detach()[1].clone();
  some.make_gradients(0);
  all.make_gradients(0);
  some.parts->matrix.grad().zero_();
  some.parts->experts.grad()[1].zero_();
  some.step(1e-2);
  all.step(1e-2);
  EXPECT_TRUE(near(some.parts->matrix, (1 - 1e-2 * 0.1) * matrix));
  EXPECT_TRUE(near(some.parts->experts[1], (1 - 1e-2 * 0.1) * expert));
  for (const std::int64_t other : {0, 2}) EXPECT_TRUE(near(some.parts->experts[other], all.parts->experts[other]));
}

// The size of an update does not depend on the matrix: lr is a rate of AdamW.
TEST(Muon, MovesAMatrixAsFarAsAdamWUsuallyDoes) {
  auto config = unclipped();
  config.weight_decay = 0;
  Rig rig(config);
  std::vector<at::Tensor> before;
  for (const auto& p : rig.matrices()) before.push_back(p.tensor.detach().clone());
  rig.make_gradients(0, /*scale=*/1e-3);
  rig.step(1e-2);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto moved = (rig.matrices()[i].tensor - before[i]).square().mean().sqrt().item<double>() / 1e-2;
    EXPECT_GT(moved, 0.2 * 0.68) << rig.matrices()[i].name;
    EXPECT_LT(moved, 0.2 * 1.21) << rig.matrices()[i].name;
  }
}

// A matrix of orthogonal singular vectors and these singular values.
at::Tensor with_singular_values(const at::Tensor& values, std::int64_t rows, std::int64_t columns) {
  torch::manual_seed(1);
  const auto basis = [&](std::int64_t n) {
    return std::get<0>(at::linalg_qr(torch::randn({n, n}, at::kDouble))).narrow(1, 0, values.size(0));
  };
  return basis(rows).matmul(values.diag()).matmul(basis(columns).mT());
}

TEST(Orthogonalize, BringsSingularValuesNearOne) {
  auto values = at::logspace(std::log10(0.003), 0, 20, 10, at::kDouble);
  values = (values / values.norm()).clamp_min(0.003);
  for (const auto& [rows, columns] : {std::pair{20, 20}, {30, 20}, {20, 50}}) {
    const auto matrix = 17 * with_singular_values(values / values.norm(), rows, columns);
    const auto found = at::linalg_svdvals(orthogonalize(matrix));
    EXPECT_GT(found.min().item<double>(), 0.68) << rows << " x " << columns;
    EXPECT_LT(found.max().item<double>(), 1.21) << rows << " x " << columns;
  }
}

TEST(Orthogonalize, KeepsSingularVectors) {
  torch::manual_seed(1);
  for (const auto& [rows, columns] : {std::pair{6, 6}, {9, 4}, {4, 9}, {1, 5}, {5, 1}}) {
    const auto matrix = torch::randn({rows, columns}, at::kDouble);
    EXPECT_TRUE(near(orthogonalize(matrix), orthogonalize_by_svd(matrix))) << rows << " x " << columns;
  }
}

TEST(Orthogonalize, WorksMatrixByMatrix) {
  torch::manual_seed(1);
  auto matrices = torch::randn({4, 7, 3}, at::kDouble);
  matrices[1] *= 1e6;
  const auto together = orthogonalize(matrices);
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_TRUE(near(together[i], orthogonalize(matrices[i])));
}

}  // namespace
}  // namespace peerless
