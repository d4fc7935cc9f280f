#include "peerless/train/training_step.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/support/local_group.h"
#include "tests/support/models.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::copy_of;
using test::same_bits;

constexpr std::int64_t kRows = 3, kLength = 12, kTargets = kRows * kLength;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A model in training, with a PEER block and batch norm of its queries.
struct Training {
  std::shared_ptr<LanguageModel> model = test::make_model(test::small_peer_model());
  TrainingStep step{*model, AdamWConfig{}, alone()};

  // `disturb` runs where a fault would: after the gradients were cleared, before forward.
  StepReport run(
      std::uint64_t number, const std::function<void()>& disturb = [] {}) {
    return step.run({.targets = kTargets, .lr = 1e-2}, [&] {
      disturb();
      return batch(number);
    });
  }

  static Batch batch(std::uint64_t number) {
    const auto some = [&](std::uint64_t seed) {
      const auto ids = test::some_ids(kRows, kLength, 50, seed);
      return std::vector<std::int64_t>(ids.const_data_ptr<std::int64_t>(),
                                       ids.const_data_ptr<std::int64_t>() + kTargets);
    };
    Batch batch{.batch = kRows, .seq_len = kLength};
    batch.inputs = some(2 * number);
    batch.targets = some(2 * number + 1);
    batch.mask.assign(kTargets, 1);
    return batch;
  }

  const Parameter& parameter(const char* name) const { return step.parameters().at(name); }
};

void expect_same(const std::vector<at::Tensor>& now, const std::vector<at::Tensor>& before, const NamedTensors& names) {
  ASSERT_EQ(now.size(), before.size());
  for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], before[i])) << names[i].name;
}

// Two clean steps, one that `disturb` spoils, and one more clean step.
void expect_no_trace_of(const std::function<void(Training&)>& disturb, const std::function<void(Training&)>& mend) {
  Training poisoned, healthy;
  for (std::uint64_t number = 0; number < 2; ++number) poisoned.run(number), healthy.run(number);
  const auto before = copy_of(poisoned.step.named_tensors());
  const auto report = poisoned.run(7, [&] { disturb(poisoned); });
  mend(poisoned);
  EXPECT_TRUE(report.skipped);
  expect_same(copy_of(poisoned.step.named_tensors()), before, poisoned.step.named_tensors());

  const auto after = poisoned.run(2), expected = healthy.run(2);
  EXPECT_FALSE(after.skipped);
  EXPECT_EQ(after.loss, expected.loss);
  EXPECT_EQ(after.grad_norm, expected.grad_norm);
  EXPECT_EQ(after.table_grad_norm, expected.table_grad_norm);
  expect_same(copy_of(poisoned.step.named_tensors()), copy_of(healthy.step.named_tensors()),
              healthy.step.named_tensors());
}

TEST(TrainingStep, LeavesNoTraceOfANanInADenseGradient) {
  expect_no_trace_of([](Training& t) { t.parameter("decoder.layers.0.attention.q.weight").tensor.grad()[3][4] = kNan; },
                     [](Training&) {});
}

TEST(TrainingStep, LeavesNoTraceOfANanInARowOfATable) {
  expect_no_trace_of(
      [](Training& t) {
        auto row = at::zeros({1, 32});
        row[0][5] = kNan;
        t.parameter("decoder.tables.layer1.weight").rows->add(at::tensor({6}), row);
      },
      [](Training&) {});
}

// A weight of the head's norm that was read wrongly once.
TEST(TrainingStep, LeavesNoTraceOfANanInTheLoss) {
  const auto set = [](Training& t, const at::Tensor& value) {
    const torch::NoGradGuard no_grad;
    t.parameter("decoder.final_norm.weight").tensor[2] = value;
  };
  at::Tensor kept;
  expect_no_trace_of(
      [&](Training& t) {
        kept = t.parameter("decoder.final_norm.weight").tensor[2].detach().clone();
        set(t, at::scalar_tensor(kNan));
      },
      [&](Training& t) { set(t, kept); });
}

TEST(TrainingStep, ChangesAllThatACleanStepShould) {
  Training training;
  const auto before = copy_of(training.step.named_tensors());
  const auto report = training.run(0);
  EXPECT_FALSE(report.skipped);
  EXPECT_FALSE(report.aux_loss.has_value());
  const auto names = training.step.named_tensors();
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_FALSE(same_bits(names[i].tensor, before[i])) << names[i].name;
}

// What one of three processes does to the batch, or the gradient, of a step.
using Disturbance = std::function<void(TrainingStep& step, Batch& batch)>;

void expect_no_trace_on_any(const Disturbance& disturb, bool complete) {
  for (const bool zero : {false, true}) {
    test::in_group(3, [&](Communicator& communicator) {
      const auto model = test::make_model(test::small_peer_model());
      TrainingStep step{*model, AdamWConfig{}, communicator, {.zero = zero}};
      const StepPlan plan{.micro_batches_here = 1, .micro_batches = 3, .targets = 3 * kTargets, .lr = 1e-2};
      const auto number = static_cast<std::uint64_t>(communicator.rank());
      EXPECT_FALSE(step.run(plan, [&] { return Training::batch(number); }).skipped);
      const auto before = copy_of(step.named_tensors());
      const auto report = step.run(plan, [&] {
        Batch batch = Training::batch(number + 3);
        if (communicator.rank() == 1) disturb(step, batch);
        return batch;
      });
      EXPECT_TRUE(report.skipped) << communicator.rank();
      EXPECT_EQ(report.complete, complete) << communicator.rank();
      expect_same(copy_of(step.named_tensors()), before, step.named_tensors());
    });
  }
}

TEST(TrainingStep, ANanOnOneProcessLeavesNoTraceOnAny) {
  expect_no_trace_on_any(
      [](TrainingStep& step, Batch&) {
        step.parameters().at("decoder.layers.0.attention.q.weight").tensor.grad()[0][0] = kNan;
      },
      /*complete=*/true);
}

TEST(TrainingStep, ABatchThatStandsInOnOneProcessLeavesNoTraceOnAny) {
  expect_no_trace_on_any(
      [](TrainingStep&, Batch& batch) {
        batch.mask.assign(kTargets, 0);
        batch.stands_in = true;
      },
      /*complete=*/false);
}

}  // namespace
}  // namespace peerless
