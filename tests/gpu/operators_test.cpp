// Every operator on a GPU gives what it gives on the CPU: values and gradients.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <functional>

#include "peerless/ops/cross_entropy.h"
#include "peerless/ops/gather_sum.h"
#include "peerless/ops/mlp_activation.h"
#include "peerless/ops/moe_experts.h"
#include "peerless/ops/peer_experts.h"
#include "peerless/ops/product_key.h"
#include "peerless/ops/rms_norm.h"
#include "peerless/ops/rope.h"
#include "peerless/ops/row_adamw.h"
#include "peerless/ops/sum_of_squares.h"
#include "peerless/ops/top_k.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;

using Tensors = std::vector<at::Tensor>;

class OnGpu : public testing::Test {
 protected:
  OnGpu() { torch::manual_seed(1); }

  // `work` maps leaves to results, the first of which is sent backward: all results and gradients are compared.
  void expect_same(const Tensors& leaves, const std::function<Tensors(const Tensors&)>& work) const {
    const auto run = [&](at::Device device) {
      Tensors here;
      for (const auto& leaf : leaves) here.push_back(leaf.detach().to(device).requires_grad_());
      Tensors all = work(here);
      torch::manual_seed(2);
      const auto grad = torch::randn(all[0].sizes(), all[0].options().device(at::kCPU));
      all[0].backward(grad.to(device));
      for (const auto& leaf : here) all.push_back(leaf.grad());
      return all;
    };
    const auto expected = run(at::kCPU), got = run(at::kCUDA);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_TRUE(near(got[i].detach().cpu().to(at::kFloat), expected[i].detach())) << "of result " << i;
  }

  // A table with the same weights on any device; its gradient is compared too.
  static std::shared_ptr<RowTable> table_on(at::Device device, const at::Tensor& weight) {
    auto table =
        std::make_shared<RowTable>(weight.size(0), weight.size(1), Init::normal(1), weight.options().device(device));
    const torch::NoGradGuard no_grad;
    table->weight().copy_(weight);
    return table;
  }
};

TEST_F(OnGpu, CrossEntropy) {
  const auto targets = torch::randint(1000, {700}, at::kLong), mask = torch::rand({700}) > 0.2;
  for (const double softcap : {0.0, 5.0}) {
    expect_same({torch::randn({700, 64}), torch::randn({1024, 64})}, [&](const Tensors& t) -> Tensors {
      const auto loss = cross_entropy(t[0], t[1], 1000, targets.to(t[0].device()), mask.to(t[0].device()),
                                      {.logit_softcap = softcap, .z_loss = 1e-3});
      return {loss.loss, loss.cross_entropy, loss.z_loss,
              token_losses(t[0].detach(), t[1].detach(), 1000, targets.to(t[0].device()), softcap)};
    });
  }
}

// Its narrow products have wide sums: gradients are as near to the exact ones as bf16 is.
TEST_F(OnGpu, CrossEntropyInBf16) {
  const auto hidden = torch::randn({700, 64}).to(at::kBFloat16), weight = torch::randn({1024, 64});
  const auto targets = torch::randint(1000, {700}, at::kLong), mask = torch::ones({700}, at::kBool);
  const auto run = [&](at::Device device) {
    const auto h = hidden.detach().to(device).requires_grad_(), w = weight.detach().to(device).requires_grad_();
    const auto loss = cross_entropy(h, w, 1000, targets.to(device), mask.to(device), {});
    loss.loss.backward();
    return Tensors{loss.loss.detach().cpu(), h.grad().cpu(), w.grad().cpu()};
  };
  const auto expected = run(at::kCPU), got = run(at::kCUDA);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(got[i].scalar_type(), expected[i].scalar_type());
    EXPECT_LT(test::error(got[i], expected[i]), test::tolerance(at::kBFloat16)) << "of result " << i;
  }
}

TEST_F(OnGpu, MlpActivation) {
  for (const auto activation : {DenseActivation::gelu, DenseActivation::relu2})
    expect_same({torch::randn({77, 130})},
                [&](const Tensors& t) -> Tensors { return {mlp_activation(activation, {}, t[0])}; });
  for (const auto activation : {DenseActivation::swiglu, DenseActivation::geglu})
    expect_same({torch::randn({77, 130}), torch::randn({77, 130})},
                [&](const Tensors& t) -> Tensors { return {mlp_activation(activation, t[0], t[1])}; });
}

TEST_F(OnGpu, MoeExperts) {
  for (const std::int64_t d : {64, 30}) {  // rows of whole 16 bytes, and not
    const auto ids = torch::rand({300, 9}).argsort(-1, false).narrow(1, 0, 2).contiguous();
    expect_same({torch::randn({300, d}), torch::rand({300, 2}), torch::randn({9, 50, d}) / 8,
                 torch::randn({9, 50, d}) / 8, torch::randn({9, d, 50}) / 8},
                [&](const Tensors& t) -> Tensors {
                  return {moe_experts(t[0], t[1], ids.to(t[0].device()), {t[2], t[3], t[4]}, DenseActivation::swiglu)};
                });
  }
}

TEST_F(OnGpu, PeerExperts) {
  for (const bool glu : {false, true}) {
    const auto weight = torch::randn({4096, (glu ? 3 : 2) * 72}) / 8;
    const auto ids = torch::randint(4000, {300, 32}, at::kInt);
    expect_same({torch::randn({300, 72}), torch::rand({300, 32})}, [&](const Tensors& t) -> Tensors {
      const auto table = table_on(t[0].device(), weight);
      const auto y = peer_experts(t[0], t[1], ids.to(t[0].device()), *table, Activation::gelu, glu);
      y.backward(at::ones_like(y), /*retain_graph=*/false);
      const auto of_table = table->grad()->dense();
      const auto again = table_on(t[0].device(), weight);
      for (const auto& leaf : t) leaf.mutable_grad().reset();
      return {peer_experts(t[0], t[1], ids.to(t[0].device()), *again, Activation::gelu, glu), of_table};
    });
  }
}

TEST_F(OnGpu, GatherSum) {
  const auto weight = torch::randn({1024, 96});
  const auto ids = torch::randint(1000, {200, 24}, at::kInt);
  expect_same({torch::rand({200, 24})}, [&](const Tensors& t) -> Tensors {
    return {gather_sum(t[0], ids.to(t[0].device()), *table_on(t[0].device(), weight))};
  });
}

TEST_F(OnGpu, ProductKeyTopK) {
  expect_same({torch::randn({333, 3, 2, 16}), torch::randn({3, 2, 128, 16})}, [](const Tensors& t) -> Tensors {
    const auto [scores, ids] = product_key_top_k(t[0], t[1], 16);
    return {scores, ids};
  });
}

// Sums of small whole numbers are exact and mostly tied: the lowest id wins on every device.
TEST_F(OnGpu, ProductKeyTopKInSeveralPieces) {
  expect_same({torch::randn({9000, 4, 2, 8}), torch::randn({1, 2, 1024, 8})}, [](const Tensors& t) -> Tensors {
    const auto [scores, ids] = product_key_top_k(t[0], t[1], 4);
    return {scores};
  });
}

TEST_F(OnGpu, TiesAreDecidedAlike) {
  const auto whole = [](at::IntArrayRef shape) { return torch::randint(-1, 2, shape, at::kFloat); };
  const auto queries = whole({50, 2, 2, 4}), keys = whole({2, 2, 32, 4}), scores = whole({50, 100});
  EXPECT_TRUE(test::same_bits(product_key_top_k(queries.cuda(), keys.cuda(), 8).ids.cpu(),
                              product_key_top_k(queries, keys, 8).ids));
  EXPECT_TRUE(test::same_bits(top_k_ids(scores.cuda(), 7).cpu(), top_k_ids(scores, 7)));
}

TEST_F(OnGpu, RmsNormAndRope) {
  expect_same({torch::randn({40, 100}), torch::randn({100})},
              [](const Tensors& t) -> Tensors { return {rms_norm(t[0], t[1], 1e-5)}; });
  const auto angles = torch::randn({20, 8});
  expect_same({torch::randn({3, 20, 4, 16})}, [&](const Tensors& t) -> Tensors {
    return {rope(t[0], angles.cos().to(t[0].device()), angles.sin().to(t[0].device()))};
  });
  const auto narrow = torch::randn({3, 20, 4, 16}).to(at::kBFloat16);
  const auto turned = rope(narrow.cuda(), angles.cos().cuda(), angles.sin().cuda()).cpu();
  EXPECT_EQ(turned.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(near(turned, rope(narrow, angles.cos(), angles.sin())));
}

TEST_F(OnGpu, SumsOfSquares) {
  const auto x = torch::randn({1000});
  const auto expected = sums_of_squares(x, 64), got = sums_of_squares(x.cuda(), 64);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-12 * expected[i]);
}

TEST_F(OnGpu, RowAdamW) {
  const auto weight = torch::randn({100, 16}), m = torch::randn({100, 16}), v = torch::rand({100, 16});
  const auto rows = torch::randperm(100).narrow(0, 0, 40), more = torch::randperm(100).narrow(0, 0, 40);
  const auto grads = torch::randn({40, 16});
  for (const auto update : {TableUpdate::touched_rows, TableUpdate::dense}) {
    const auto run = [&](at::Device device) {
      const auto table = table_on(device, weight);
      for (const auto& some : {rows, more}) table->grad()->add(some.to(device), grads.to(device));
      const Tensors state{table->weight().detach(), m.to(device, at::kFloat, false, true),
                          v.to(device, at::kFloat, false, true)};
      row_adamw(state[0], state[1], state[2], *table->grad(), {.update = update, .weight_decay = 0.1, .step = 3});
      return state;
    };
    const auto expected = run(at::kCPU), got = run(at::kCUDA);
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(near(got[i].cpu(), expected[i])) << i;
  }
}

}  // namespace
}  // namespace peerless
