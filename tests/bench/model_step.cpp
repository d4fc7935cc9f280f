// A training step of a language model by the classes that TrainingStep puts together, so that its parts can be timed,
// on token ids drawn anew for each step, before the clock starts.
#include "peerless/config/config.h"
#include "peerless/optim/step_update.h"
#include "peerless/train/step_gradient.h"
#include "tests/bench/bench.h"
#include "tests/support/models.h"

namespace peerless::bench {
namespace {

struct Shape {
  std::int64_t batch = 1, seq_len = 1, vocab_size = 1;
  ModelConfig model;
  OptimConfig optim;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("batch", c.batch, AtLeast{1}, "sequences");
    visit("seq_len", c.seq_len, AtLeast{1}, "tokens of a sequence");
    visit("vocab_size", c.vocab_size, AtLeast{1}, "token ids");
    visit("model", c.model, Any{}, "the architecture");
    visit("optim", c.optim, Any{}, "the optimizer");
  }
};

class ModelStep final : public Work {
 public:
  explicit ModelStep(const Shape& shape)
      : shape_(shape),
        model_(test::make_model(shape.model, shape.vocab_size, shape.seq_len)),
        parameters_(*model_),
        update_(parameters_, shape.optim) {}

  Seconds run() override {
    const std::int64_t tokens = shape_.batch * shape_.seq_len;
    const Batch batch{.batch = shape_.batch,
                      .seq_len = shape_.seq_len,
                      .inputs = draw(tokens),
                      .targets = draw(tokens),
                      .mask = std::vector<std::uint8_t>(static_cast<std::size_t>(tokens), 1),
                      .unmasked = tokens};
    Stopwatch watch;
    StepGradient gradient(*model_, tokens, /*micro_batches=*/1);
    update_.accumulate(1, [&] {
      watch.part("clear");
      gradient.add(tensors_of(batch, at::kCPU));
    });
    watch.part("forward and backward");
    const StepMeans means = gradient.means();
    update_.finish(shared_settings(shape_.optim).lr, means.loss, [&] { model_->decoder->commit(means.stats); });
    watch.part("update");
    return watch.seconds();
  }
  double flops() const override {
    return 3 * shape_.model.cost(shape_.seq_len, shape_.vocab_size).flops *
           static_cast<double>(shape_.batch * shape_.seq_len);
  }
  std::size_t state_bytes() const override {
    return bytes_of(parameters_.named_tensors()) + bytes_of(update_.named_tensors());
  }

 private:
  std::vector<std::int64_t> draw(std::int64_t count) const {
    const auto ids = at::randint(shape_.vocab_size, {count}, at::kLong);
    return {ids.const_data_ptr<std::int64_t>(), ids.const_data_ptr<std::int64_t>() + count};
  }

  Shape shape_;
  std::shared_ptr<LanguageModel> model_;
  ParameterSet parameters_;
  StepUpdate update_;
};

}  // namespace

std::unique_ptr<Work> model_step(const std::string& shape) {
  return std::make_unique<ModelStep>(config::parse<Shape>(shape, "shape"));
}

}  // namespace peerless::bench
