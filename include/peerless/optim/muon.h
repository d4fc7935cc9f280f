// Muon for hidden matrices; AdamW (optim/adamw.h) for all other parameters: vectors, embedding, head, routers, tables.
//
//   m = mu m + (1 - mu) g                                    g: the gradient times its clip factor
//   w -= lr wd w
//   w -= lr 0.2 sqrt(max(rows, columns)) orthogonalize(mu m + (1 - mu) g)
//
// An orthogonal matrix times 0.2 sqrt(max(rows, columns)) has the root mean square 0.2, which is that of AdamW's usual
// update: lr and weight_decay mean the same for all parameters.
//
// Shapes     a matrix [rows, columns], or [E, rows, columns]: E experts, each a matrix of its own
// Cost       20 s^2 l + 10 s^3 FLOPs per matrix and step, s its shorter and l its longer side: of a square one, as much
//            as forward and backward of 5 s tokens
// Memory     one momentum per matrix, half of AdamW's moments
// Precision  all in the parameters' dtype; the authors' code and torch.optim.Muon orthogonalize in bf16
// Source     Jordan et al. 2024, kellerjordan.github.io/posts/muon; the rate: Liu et al. 2025, arXiv:2502.16982;
//            the same as torch.optim.Muon with adjust_lr_fn="match_rms_adamw"
#pragma once

#include <string>
#include <vector>

#include "peerless/optim/adamw.h"

namespace peerless {

class Muon final : public Optimizer {
 public:
  // Parts are of whole matrices.
  Muon(const std::vector<Owned>& parts, const MuonConfig& config);

  void step(double lr, const GradNorms& norms) override;
  // AdamW's of the others, then optim.momentum.<parameter> of each matrix, flat.
  NamedTensors named_tensors() const override;

 private:
  struct Matrix {
    Owned part;
    at::Tensor momentum;
  };

  MuonConfig config_;
  AdamW others_;
  std::vector<Matrix> matrices_;
};

// Of each matrix [..., rows, columns] roughly the nearest orthogonal one: singular vectors stay, singular values come
// near 1. Five Newton-Schulz iterations on X / |X|, or on its transpose where that has fewer rows:
//
//   X = 3.4445 X + (-4.7750 A + 2.0315 A^2) X        A = X X^T
//
// Their coefficients are for speed, not for convergence: a singular value of 0.003 |X| and more ends in [0.68, 1.21], a
// smaller one grows 485-fold at most; zero stays zero.
at::Tensor orthogonalize(const at::Tensor& matrices);

}  // namespace peerless
