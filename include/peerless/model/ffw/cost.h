// What a part of the model costs, said from its config before anything is built; tests hold the claims to the built
// module and to counted operations.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace peerless {

// FLOPs are 2 per multiply-add of matrix products, dot products and weighted sums (routers, queries, sub-keys and the
// causal half of attention included; norms, activations, top-k and softmax not), of the forward pass of one token. The
// backward pass costs twice as much.
struct Cost {
  std::int64_t parameters = 0;         // without tables, which layers may share
  std::int64_t active_parameters = 0;  // those that one token passes through, rows of tables included
  double flops = 0;
  // What of these goes into choosing experts and weighing what they say.
  std::int64_t routing_parameters = 0;
  double routing_flops = 0;
  // Numbers of a token that forward keeps for backward, beside what enters the part. An estimate: for memory.
  double kept = 0;

  static Cost of_routing(std::int64_t parameters, double flops, double kept = 0) {
    return {parameters, parameters, flops, parameters, flops, kept};
  }
  Cost& operator+=(const Cost& other) {
    parameters += other.parameters;
    active_parameters += other.active_parameters;
    flops += other.flops;
    routing_parameters += other.routing_parameters;
    routing_flops += other.routing_flops;
    kept += other.kept;
    return *this;
  }
};

// A table that a block uses: [rows, width]. Layers that share one must agree in its shape, and in all that decides how
// it starts: fields of the block's config, as (name, value).
struct TableUse {
  std::string name;
  std::int64_t rows;
  std::int64_t width;
  std::int64_t parts;  // of a row, each as wide as the model: [u | v] are two
  std::vector<std::pair<std::string, std::string>> start;
};

}  // namespace peerless
