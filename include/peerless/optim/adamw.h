// AdamW: LibTorch's fused kernel for dense parameters, row updates for tables.
//
//   m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) g^2
//   w -= lr wd w               w -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
//
// t counts the updates made; g is the gradient times its clip factor, applied inside the update: no pass rewrites
// gradients. Decay is for matrices only. Tables follow optim.tables (ops/row_adamw.h).
// Source   Loshchilov & Hutter 2019, arXiv:1711.05101
#pragma once

#include <vector>

#include "peerless/optim/config.h"
#include "peerless/optim/optimizer.h"

namespace peerless {

class AdamW final : public Optimizer {
 public:
  // Of these parts, which may be some of a model's.
  AdamW(const std::vector<Owned>& parts, const AdamWConfig& config);

  void step(double lr, const GradNorms& norms) override;
  // The number of updates and the moments: optim.num_updates, optim.first.<parameter>, optim.second.<parameter>, those
  // of dense parameters flat.
  NamedTensors named_tensors() const override;

 private:
  struct Group {  // dense parameters of one weight decay
    double weight_decay;
    std::vector<Owned> parts;
    std::vector<at::Tensor> first, second;
  };
  struct Table {
    Owned part;
    at::Tensor first, second;
  };
  void step_dense(double lr, double clip);
  void step_tables(double lr, double clip);

  AdamWConfig config_;
  std::vector<Group> groups_;
  std::vector<Table> tables_;
  NamedTensors moments_;    // of dense parameters and tables, in parameter order
  at::Tensor num_updates_;  // int64 scalar on the host
};

}  // namespace peerless
