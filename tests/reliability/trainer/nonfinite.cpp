// Numbers that are none, at a random place of a random tensor: in a gradient, or in a weight while a step reads it. The
// step must be skipped, leave every bit of weights, moments and statistics as it was, and the next one be that of a run
// which never met it.
#include <bit>
#include <mutex>

#include "tests/reliability/trainer/job.h"
#include "tests/support/every_block.h"
#include "tests/support/local_group.h"
#include "tests/support/models.h"
#include "tests/support/tensors.h"

#include "peerless/train/training_step.h"

namespace peerless::reliability {
namespace {

constexpr std::int64_t kRows = 3, kLength = 12, kTargets = kRows * kLength, kMicroBatches = 2;

// Quiet and signalling NaNs with some bits of payload, the infinities; in gradients also what no square holds.
float bad_number(Random& random, bool in_gradient) {
  const auto payload = static_cast<std::uint32_t>(1 + random() % 0x3fffff);
  switch (random() % (in_gradient ? 5 : 4)) {
    case 0:
      return std::bit_cast<float>(0x7fc00000u | payload);
    case 1:
      return std::bit_cast<float>(0xff800000u | payload);
    case 2:
      return std::numeric_limits<float>::infinity();
    case 3:
      return -std::numeric_limits<float>::infinity();
    default:
      return 1e30f;
  }
}

Batch batch_of(std::uint64_t number) {
  static std::mutex mutex;  // of LibTorch's one generator
  const std::lock_guard lock(mutex);
  const auto some = [&](std::uint64_t seed) {
    const auto ids = test::some_ids(kRows, kLength, 50, seed);
    const auto* const first = ids.const_data_ptr<std::int64_t>();
    return std::vector<std::int64_t>(first, first + kTargets);
  };
  Batch batch{.batch = kRows, .seq_len = kLength};
  batch.inputs = some(2 * number);
  batch.targets = some(2 * number + 1);
  batch.mask.assign(kTargets, 1);
  return batch;
}

// A training whose second layer has the block.
struct Training {
  Training(const FfwConfig& ffw, Communicator& communicator, bool zero)
      : model(test::make_model(with(ffw))), step(*model, AdamWConfig{}, communicator, {.zero = zero}) {}

  // `disturb` is called before forward of each micro-batch, with its number.
  StepReport run(std::uint64_t number, Communicator& communicator, const std::function<void(std::int64_t)>& disturb) {
    const auto processes = communicator.world_size();
    const StepPlan plan{.micro_batches_here = kMicroBatches,
                        .micro_batches = kMicroBatches * processes,
                        .targets = kMicroBatches * processes * kTargets,
                        .lr = 1e-2};
    std::int64_t next = 0;
    return step.run(plan, [&] {
      disturb(next);
      const auto of_all =
          (number * kMicroBatches + static_cast<std::uint64_t>(next++)) * static_cast<std::uint64_t>(processes) +
          static_cast<std::uint64_t>(communicator.rank());
      return batch_of(of_all);
    });
  }

  static ModelConfig with(const FfwConfig& ffw) {
    ModelConfig config = test::small_model();
    config.layers = {{LayerSet{LayerRange{1, 1}}, ffw}};
    return config;
  }

  std::shared_ptr<LanguageModel> model;
  TrainingStep step;
};

struct Injection {
  std::size_t parameter;
  std::uint64_t element;
  float value;
  bool in_gradient;
  std::int64_t micro_batch, rank;
};

// Weights that every token meets: an expert that nobody is sent to may be anything.
bool always_read(const std::string& name) {
  return name.find("norm") != std::string::npos || name.find("attention") != std::string::npos;
}

Injection choose(const ParameterSet& parameters, std::int64_t processes, Random& random) {
  Injection injection{};
  const auto& all = parameters.parameters();
  injection.parameter = random() % all.size();
  injection.in_gradient = !always_read(all[injection.parameter].name) || random() % 2 == 0;
  injection.element = random() % static_cast<std::uint64_t>(all[injection.parameter].tensor.numel());
  injection.value = bad_number(random, injection.in_gradient);
  injection.micro_batch = static_cast<std::int64_t>(random() % kMicroBatches);
  injection.rank = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(processes));
  return injection;
}

void inject(const Parameter& parameter, const Injection& injection, float& kept) {
  const torch::NoGradGuard no_grad;
  const auto element = static_cast<std::int64_t>(injection.element);
  if (!injection.in_gradient) {
    auto* const value = parameter.tensor.data_ptr<float>() + element;
    kept = std::exchange(*value, injection.value);
  } else if (parameter.rows) {
    const std::int64_t width = parameter.tensor.numel() / parameter.tensor.size(0);
    auto row = at::zeros({1, width});
    row[0][element % width] = injection.value;
    parameter.rows->add(at::tensor({element / width}), row);
  } else {
    parameter.tensor.grad().view(-1)[element] = injection.value;
  }
}

class Comparison {
 public:
  Comparison(const NamedTensors& tensors, Result& result, std::string what)
      : before_(test::copy_of(tensors)), result_(result), what_(std::move(what)) {}
  void compare(const NamedTensors& now) const {
    for (std::size_t i = 0; i < now.size(); ++i)
      if (!test::same_bits(now[i].tensor.detach(), before_[i])) fail(concat(now[i].name, " differs"));
  }
  void fail(const std::string& how) const {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    result_.failures.push_back(concat(what_, ": ", how));
  }

 private:
  std::vector<at::Tensor> before_;
  Result& result_;
  std::string what_;
};

void trial(const FfwConfig& ffw, Communicator& communicator, bool zero, std::uint64_t seed, Result& result) {
  Training poisoned(ffw, communicator, zero), healthy(ffw, communicator, zero);
  const auto nothing = [](std::int64_t) {};
  poisoned.run(0, communicator, nothing), healthy.run(0, communicator, nothing);

  Random random(seed);
  const auto injection = choose(poisoned.step.parameters(), communicator.world_size(), random);
  const auto& parameter = poisoned.step.parameters().parameters()[injection.parameter];
  const Comparison comparison(poisoned.step.named_tensors(), result,
                              concat(parameter.name, "[", injection.element, "] = ", injection.value,
                                     injection.in_gradient ? " in the gradient" : " while it was read"));
  float kept = 0;
  const bool here = injection.rank == communicator.rank();
  const auto report = poisoned.run(7, communicator, [&](std::int64_t micro_batch) {
    if (here && micro_batch == injection.micro_batch) inject(parameter, injection, kept);
  });
  if (here && !injection.in_gradient) parameter.tensor.data_ptr<float>()[injection.element] = kept;
  if (!report.skipped) comparison.fail("the step was not skipped");
  comparison.compare(poisoned.step.named_tensors());

  const auto after = poisoned.run(1, communicator, nothing), expected = healthy.run(1, communicator, nothing);
  const Comparison clean(healthy.step.named_tensors(), result, concat(parameter.name, ": the step after it"));
  clean.compare(poisoned.step.named_tensors());
  if (after.skipped || after.loss != expected.loss || after.grad_norm != expected.grad_norm)
    clean.fail("other numbers");
}

}  // namespace

Results non_finite(const Request& request) {
  at::set_num_threads(1);
  Random random(request.seed);
  const auto blocks = test::one_of_each(static_cast<FfwConfig*>(nullptr));
  Results results;
  for (const auto& block : blocks) results.push_back({"nonfinite", kind_of(block), request.seed});
  const auto count = request.count > 0 ? static_cast<std::size_t>(request.count) : blocks.size();
  for (std::size_t i = 0; i < count; ++i) {
    auto& result = results[i % blocks.size()];
    const std::uint64_t seed = random();
    const int processes = seed % 3 == 0 ? 2 : 1;
    const bool zero = seed % 2 == 0;
    test::in_group(processes, [&](Communicator& all) { trial(blocks[i % blocks.size()], all, zero, seed, result); });
    ++result.trials;
    ++result.histogram[concat(processes, " processes", zero ? ", zero" : "")];
  }
  std::erase_if(results, [](const auto& result) { return result.trials == 0; });
  return results;
}

}  // namespace peerless::reliability
