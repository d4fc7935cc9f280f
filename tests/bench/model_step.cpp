// A training step of a language model as `train` does it, on token ids drawn anew for each step, before the clock
// starts.
#include "peerless/config/config.h"
#include "peerless/train/training_step.h"
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
        communicator_(single_process()),
        step_(*model_, shape.optim, *communicator_) {}

  Seconds run() override {
    const std::int64_t tokens = shape_.batch * shape_.seq_len;
    const Batch batch{.batch = shape_.batch,
                      .seq_len = shape_.seq_len,
                      .inputs = draw(tokens),
                      .targets = draw(tokens),
                      .mask = std::vector<std::uint8_t>(static_cast<std::size_t>(tokens), 1),
                      .unmasked = tokens};
    Stopwatch watch;
    step_.run({.targets = tokens, .lr = std::get<AdamWConfig>(shape_.optim).lr}, [&] { return batch; });
    watch.part("step");
    return watch.seconds();
  }

 private:
  std::vector<std::int64_t> draw(std::int64_t count) const {
    const auto ids = at::randint(shape_.vocab_size, {count}, at::kLong);
    return {ids.const_data_ptr<std::int64_t>(), ids.const_data_ptr<std::int64_t>() + count};
  }

  Shape shape_;
  std::shared_ptr<LanguageModel> model_;
  std::unique_ptr<Communicator> communicator_;
  TrainingStep step_;
};

}  // namespace

std::unique_ptr<Work> model_step(const std::string& shape) {
  return std::make_unique<ModelStep>(config::parse<Shape>(shape, "shape"));
}

}  // namespace peerless::bench
