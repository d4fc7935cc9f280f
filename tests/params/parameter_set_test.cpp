#include "peerless/params/parameter_set.h"

#include <gtest/gtest.h>

#include <limits>

#include "peerless/params/gradients.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::same_bits;

class Leaf : public Module {
 public:
  Leaf(std::int64_t rows, Init init, at::TensorOptions options = at::kFloat) : Module(options) {
    weight = make_parameter("weight", {rows, 6}, Role::matrix, std::move(init));
    statistic = make_buffer("statistic", at::zeros({2}, options));
  }
  at::Tensor weight, statistic;
};

struct Tree : torch::nn::Module {
  explicit Tree(bool swapped = false) {
    const auto add = [&](const char* name) { register_module(name, std::make_shared<Leaf>(50, Init::normal(2))); };
    add(swapped ? "b" : "a");
    add(swapped ? "a" : "b");
  }
};

TEST(ParameterSet, NamesEveryParameterAndBufferByItsPath) {
  const auto tree = std::make_shared<Tree>();
  const ParameterSet set(*tree);
  ASSERT_EQ(set.parameters().size(), 2u);
  EXPECT_EQ(set.parameters()[0].name, "a.weight");
  EXPECT_EQ(set.buffers()[1].name, "b.statistic");
  EXPECT_EQ(set.num_elements(), 2 * 50 * 6);
  EXPECT_EQ(set.named_tensors()[2].name, "model.a.statistic");
}

TEST(ParameterSet, InitialisesByNameWhateverTheOrderOfConstruction) {
  const auto tree = std::make_shared<Tree>(), swapped = std::make_shared<Tree>(/*swapped=*/true);
  ParameterSet one(*tree), other(*swapped);
  one.initialize(7);
  other.initialize(7);
  EXPECT_TRUE(same_bits(one.at("a.weight").tensor, other.at("a.weight").tensor));
  EXPECT_FALSE(at::equal(one.at("a.weight").tensor, one.at("b.weight").tensor));
  other.initialize(8);
  EXPECT_FALSE(at::equal(one.at("a.weight").tensor, other.at("a.weight").tensor));
}

TEST(ParameterSet, InitialisesWithTheSameBitsAtAnyNumberOfThreads) {
  const auto leaf = std::make_shared<Leaf>(40'000, Init::normal(1));
  ParameterSet set(*leaf);
  const auto initialized_by = [&](int threads) {
    const test::Threads guard(threads);
    set.initialize(1);
    return leaf->weight.detach().clone();
  };
  EXPECT_TRUE(same_bits(initialized_by(1), initialized_by(2)));
}

TEST(ParameterSet, DrawsWhatTheInitSays) {
  const auto fill = [](Init init) {
    const auto leaf = std::make_shared<Leaf>(20'000, std::move(init), at::kDouble);
    ParameterSet(*leaf).initialize(3);
    return leaf->weight.detach();
  };
  EXPECT_TRUE(same_bits(fill(Init::constant(1.5)), at::full({20'000, 6}, 1.5, at::kDouble)));
  const auto normal = fill(Init::normal(2));
  EXPECT_NEAR(normal.mean().item<double>(), 0, 0.03);
  EXPECT_NEAR(normal.std().item<double>(), 2, 0.03);
  const auto uniform = fill(Init::uniform(0.5));
  EXPECT_LE(uniform.abs().max().item<double>(), 0.5);
  EXPECT_NEAR(uniform.square().mean().item<double>(), 0.25 / 3, 0.002);
  const auto groups = fill(Init::normal_by_column_group({1, 3}));
  EXPECT_NEAR(groups.narrow(1, 0, 3).std().item<double>(), 1, 0.02);
  EXPECT_NEAR(groups.narrow(1, 3, 3).std().item<double>(), 3, 0.06);
}

// Six columns in four groups: 0, 1 | 2 | 3, 4 | 5, whatever stretch of a row is filled at a time.
TEST(ParameterSet, ScalesEachColumnByItsGroup) {
  const auto plain = std::make_shared<Leaf>(20'000, Init::normal(1)),
             scaled = std::make_shared<Leaf>(20'000, Init::normal_by_column_group({1, 2, 4, 8}));
  ParameterSet(*plain).initialize(3);
  ParameterSet(*scaled).initialize(3);
  EXPECT_TRUE(same_bits(scaled->weight.detach(), plain->weight.detach() * at::tensor({1.F, 1.F, 2.F, 4.F, 4.F, 8.F})));
}

TEST(ParameterSet, RefusesAModuleThatIsRegisteredTwice) {
  const auto root = std::make_shared<torch::nn::Module>();
  const auto leaf = std::make_shared<Leaf>(2, Init::normal(1));
  root->register_module("a", leaf);
  root->register_module("b", leaf);
  try {
    const ParameterSet set(*root);
    FAIL();
  } catch (const c10::Error& error) {
    EXPECT_STREQ(error.what_without_backtrace(), "b.weight is registered a second time");
  }
}

TEST(Gradients, CollectWhatBackwardAddsInOneBuffer) {
  const auto tree = std::make_shared<Tree>();
  ParameterSet set(*tree);
  set.initialize(1);
  Gradients gradients(set);
  const auto a = set.at("a.weight").tensor, b = set.at("b.weight").tensor;
  (a.sum() + 2 * b.sum()).backward();
  a.sum().backward();
  EXPECT_EQ(gradients.dense().sum().item<float>(), 300 * 2 + 300 * 2);
  EXPECT_EQ(a.grad()[3][3].item<float>(), 2);
  gradients.clear();
  EXPECT_EQ(b.grad().abs().sum().item<float>(), 0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.grad().data_ptr()) % 64,
            reinterpret_cast<std::uintptr_t>(a.grad().data_ptr()) % 64);
}

TEST(RowGrad, AddsRowsAndForgetsThemAtClear) {
  RowGrad rows(5, 2, at::kFloat);
  rows.add(at::tensor({4, 1}), at::tensor({1.f, 2.f, 3.f, 4.f}).view({2, 2}));
  rows.add(at::tensor({1, 0}), at::ones({2, 2}));
  EXPECT_EQ(std::vector<std::int32_t>(rows.ids().begin(), rows.ids().end()), (std::vector<std::int32_t>{4, 1, 0}));
  const auto expected = at::tensor({1.f, 1.f, 4.f, 5.f, 0.f, 0.f, 0.f, 0.f, 1.f, 2.f}).view({5, 2});
  EXPECT_TRUE(same_bits(rows.dense(), expected));
  rows.clear();
  EXPECT_EQ(rows.size(), 0);
  EXPECT_TRUE(same_bits(rows.dense(), at::zeros({5, 2})));
  rows.add(at::tensor({4}), at::ones({1, 2}));
  EXPECT_EQ(rows.dense().sum().item<float>(), 2);
}

TEST(TensorState, ViewsTensorsInHostMemory) {
  const auto tensor = at::arange(6, at::kFloat).view({2, 3});
  const State state = to_state({{"x", tensor}});
  const auto* entry = state.find("x");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->dtype, DType::f32);
  EXPECT_EQ(entry->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(static_cast<void*>(entry->bytes.data()), tensor.data_ptr());
}

TEST(TensorState, RestoresOnlyWhatHasTheTensorsDtypeAndShape) {
  const auto complaint = [](const at::Tensor& stored, const at::Tensor& tensor) -> std::string {
    try {
      restore(to_state({{"x", stored}}), {{"x", tensor}});
      return "";
    } catch (const c10::Error& error) {
      return error.what_without_backtrace();
    }
  };
  EXPECT_EQ(complaint(at::zeros({2, 3}), at::zeros({2, 3})), "");
  EXPECT_EQ(complaint(at::zeros({2, 3}), at::zeros({2, 3}, at::kDouble)),
            "x: the state has F32 [2, 3], the tensor is F64 [2, 3]");
  EXPECT_EQ(complaint(at::zeros({2, 3}), at::zeros({3, 2})), "x: the state has F32 [2, 3], the tensor is F32 [3, 2]");
}

// The yardstick of all other tests.
TEST(SameBits, TellsApartWhatIsStoredDifferently) {
  const auto nan = at::full({2}, std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(same_bits(nan, nan.clone()));
  EXPECT_FALSE(same_bits(at::tensor({0.0F}), at::tensor({-0.0F})));
  EXPECT_FALSE(same_bits(at::zeros({2}), at::zeros({2}, at::kInt)));
  EXPECT_TRUE(same_bits(at::arange(6).view({2, 3}).t(), at::arange(6).view({2, 3}).t().contiguous()));
}

}  // namespace
}  // namespace peerless
