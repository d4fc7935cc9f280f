// One product of square fp32 matrices.
#include "peerless/config/config.h"
#include "tests/bench/bench.h"
#include "tests/support/models.h"

namespace peerless::bench {
namespace {

struct Shape {
  std::int64_t size = 1;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("size", c.size, AtLeast{1}, "rows and columns of each matrix");
  }
};

class Matmul final : public Work {
 public:
  explicit Matmul(const Shape& shape)
      : a_(at::randn({shape.size, shape.size})), b_(at::randn_like(a_)), c_(at::empty_like(a_)) {}

  Seconds run() override {
    Stopwatch watch;
    at::mm_out(c_, a_, b_);
    watch.part("product");
    return watch.seconds();
  }
  double flops() const override {
    const auto n = static_cast<double>(a_.size(0));
    return 2 * n * n * n;
  }

 private:
  at::Tensor a_, b_, c_;
};

}  // namespace

std::unique_ptr<Work> matmul(const std::string& shape) {
  return std::make_unique<Matmul>(config::parse<Shape>(shape, "shape"));
}

}  // namespace peerless::bench
