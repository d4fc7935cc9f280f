// A training step of one feed-forward block, by the class that TrainingStep has for a whole model. Input and the
// gradient of the output are drawn anew for each step, before the clock starts.
#include "peerless/config/config.h"
#include "peerless/optim/step_update.h"
#include "tests/bench/bench.h"
#include "tests/support/blocks.h"

namespace peerless::bench {
namespace {

struct Shape {
  std::int64_t batch = 1, seq_len = 1, d_model = 1;
  FfwConfig ffw;
  OptimConfig optim;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("batch", c.batch, AtLeast{1}, "sequences");
    visit("seq_len", c.seq_len, AtLeast{1}, "tokens of a sequence");
    visit("d_model", c.d_model, AtLeast{1}, "width of the residual stream");
    visit("ffw", c.ffw, Any{}, "the block");
    visit("optim", c.optim, Any{}, "the optimizer");
  }
};

class BlockStep final : public Work {
 public:
  explicit BlockStep(const Shape& shape)
      : shape_(shape),
        block_(test::LoneBlock::make(shape.ffw, shape.d_model)),
        update_(block_->parameters_of(), shape.optim) {}

  Seconds run() override {
    const auto x = at::randn({shape_.batch, shape_.seq_len, shape_.d_model}).requires_grad_();
    const auto grad_y = at::randn_like(x);
    Stopwatch watch;
    FfwOutput out;
    update_.accumulate(1, [&] {
      watch.part("clear");
      out = block_->forward(x);
      watch.part("forward");
      out.y.backward(grad_y);
    });
    watch.part("backward");
    update_.finish(shared_settings(shape_.optim).lr, /*loss=*/0, [&] { block_->block().commit(out.stats); });
    watch.part("update");
    return watch.seconds();
  }
  std::size_t state_bytes() const override {
    return bytes_of(block_->parameters_of().named_tensors()) + bytes_of(update_.named_tensors());
  }

 private:
  Shape shape_;
  std::shared_ptr<test::LoneBlock> block_;
  StepUpdate update_;
};

}  // namespace

std::unique_ptr<Work> block_step(const std::string& shape) {
  return std::make_unique<BlockStep>(config::parse<Shape>(shape, "shape"));
}

}  // namespace peerless::bench
