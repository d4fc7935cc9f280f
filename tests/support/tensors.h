// How tests compare tensors: one tolerance per dtype, in one place.
#pragma once

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cstring>

#include "peerless/params/parameter_set.h"

namespace peerless::test {

// |a - b| / |b| in the 2-norm; 0 when both are zero.
inline double error(const at::Tensor& a, const at::Tensor& b) {
  const auto difference = (a.to(at::kDouble) - b.to(at::kDouble)).norm().item<double>();
  const auto size = b.to(at::kDouble).norm().item<double>();
  return difference == 0 ? 0 : difference / size;
}

inline double tolerance(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return 1e-9;
    case at::kFloat:
      return 1e-5;
    default:
      return 1e-2;
  }
}

inline testing::AssertionResult near(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return testing::AssertionFailure() << "shapes " << a.sizes() << " and " << b.sizes();
  const double e = error(a, b);
  if (e <= tolerance(a.scalar_type())) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "relative error " << e << " above " << tolerance(a.scalar_type());
}

// Of numbers as they are stored: the two zeros differ, and something that is not a number equals its copy.
inline bool same_bytes(const at::Tensor& a, const at::Tensor& b) {
  const auto x = a.detach().cpu().contiguous(), y = b.detach().cpu().contiguous();
  return x.nbytes() == y.nbytes() && (x.nbytes() == 0 || std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0);
}

inline testing::AssertionResult same_bits(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() == b.sizes() && a.dtype() == b.dtype() && same_bytes(a, b)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "bits differ; relative error "
                                     << (a.sizes() == b.sizes() ? error(a, b) : std::nan(""));
}

// Every bit of a parameter set, to be compared later.
inline std::vector<at::Tensor> copy_of(const NamedTensors& tensors) {
  std::vector<at::Tensor> copies;
  for (const auto& named : tensors) copies.push_back(named.tensor.detach().clone());
  return copies;
}

// For its lifetime, ATen uses so many threads.
class Threads {
 public:
  explicit Threads(int n) : before_(at::get_num_threads()) { at::set_num_threads(n); }
  ~Threads() { at::set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

// d f / d x[i] by central differences, for fp64 tensors of few elements.
template <class F>
at::Tensor numeric_gradient(const at::Tensor& x, F&& f, double step = 1e-6) {
  const torch::NoGradGuard no_grad;
  auto flat = x.detach().view({-1});
  auto gradient = at::zeros_like(flat);
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    const double value = flat[i].item<double>();
    flat[i] = value + step;
    const double above = f();
    flat[i] = value - step;
    const double below = f();
    flat[i] = value;
    gradient[i] = (above - below) / (2 * step);
  }
  return gradient.view(x.sizes());
}

}  // namespace peerless::test
