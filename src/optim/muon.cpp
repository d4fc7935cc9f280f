#include "peerless/optim/muon.h"

#include <algorithm>
#include <cmath>

namespace peerless {
namespace {

std::vector<Owned> all_but_matrices(const std::vector<Owned>& parts) {
  std::vector<Owned> others;
  std::copy_if(parts.begin(), parts.end(), std::back_inserter(others),
               [](const Owned& part) { return part.parameter.role != Role::matrix; });
  return others;
}

// Of an orthogonal matrix, to the root mean square of AdamW's update.
double rms_scale(const at::Tensor& matrix) {
  return 0.2 * std::sqrt(static_cast<double>(std::max(matrix.size(-2), matrix.size(-1))));
}

}  // namespace

Muon::Muon(const std::vector<Owned>& parts, const MuonConfig& config)
    : config_(config), others_(all_but_matrices(parts), config) {
  for (const auto& part : parts)
    if (part.parameter.role == Role::matrix) matrices_.push_back({part, part.zeros()});
}

void Muon::step(double lr, const GradNorms& norms) {
  const torch::NoGradGuard no_grad;
  others_.step(lr, norms);
  const double mu = config_.momentum;
  const double share = (1 - mu) * clip_factor(norms.dense, config_.grad_clip);  // of the gradient
  for (const auto& [part, flat] : matrices_) {
    if (flat.numel() == 0) continue;
    const auto& whole = part.parameter.tensor;
    const auto matrices = [&](const at::Tensor& elements) {
      return elements.view({-1, whole.size(-2), whole.size(-1)});
    };
    const auto weight = matrices(part.piece_of(whole)), grad = matrices(part.piece_of(whole.grad()));
    const auto momentum = matrices(flat);
    momentum.mul_(mu).add_(grad, share);
    const auto update = orthogonalize((mu * momentum).add_(grad, share));
    weight.mul_(1 - lr * config_.weight_decay).sub_(update, lr * rms_scale(weight));
  }
}

NamedTensors Muon::named_tensors() const {
  NamedTensors all = others_.named_tensors();
  for (const auto& [part, momentum] : matrices_) all.push_back(part.named("optim.momentum.", momentum));
  return all;
}

at::Tensor orthogonalize(const at::Tensor& matrices) {
  TORCH_CHECK(matrices.dim() >= 2, "orthogonalize: expected [..., rows, columns], got ", matrices.sizes());
  constexpr double kLeastNorm = 1e-7;  // as torch.optim.Muon has it
  const bool tall = matrices.size(-2) > matrices.size(-1);
  auto x = tall ? matrices.mT() : matrices;
  x = x.reshape({-1, x.size(-2), x.size(-1)});
  x = x / x.norm(2, {-2, -1}, /*keepdim=*/true).clamp_min(kLeastNorm);
  for (int i = 0; i < 5; ++i) {
    const auto a = x.bmm(x.mT());
    x = at::baddbmm(x, at::baddbmm(a, a, a, -4.7750, 2.0315), x, 3.4445);
  }
  return (tall ? x.mT() : x).reshape(matrices.sizes());
}

}  // namespace peerless
