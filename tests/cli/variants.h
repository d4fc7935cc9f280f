// Jobs that must repeat bit for bit: every feed-forward block, precision, optimizer, and way of a table.
#pragma once

#include <string>
#include <vector>

namespace peerless::test {

struct Variant {
  std::string name;
  std::vector<std::string> settings;
};

inline const std::string kMixture =
    "model.ffw={kind: moe, num_experts: 6, top_k: 2, d_expert: 8, shared_experts: 1, bias_update_rate: 0.01}";

// The first of them are stopped by signals too; the very first by all of them, and at several steps. Every kind of
// block is among the first six, which scripts/campaign quick takes.
constexpr std::ptrdiff_t kStopped = 4;
inline const std::vector<Variant> kVariants{
    {"peer", {}},
    {"dense_in_bf16", {"model.layers=[]", "train.precision=bf16"}},
    {"moe", {kMixture, "model.layers=[]"}},
    {"pkm", {"model.layers.0.ffw={kind: pkm, num_values: 64, heads: 2, top_k: 4, d_key: 8, gate: silu}"}},
    {"hash_moe", {"model.layers.0.ffw={kind: hash_moe, num_experts: 3, d_expert: 24}"}},
    {"peer_in_bf16", {"train.precision=bf16"}},
    {"dense", {"model.layers=[]"}},
    {"moe_in_bf16_recomputed", {kMixture, "model.layers=[]", "train.precision=bf16", "train.recompute=layer"}},
    {"shared_pkm_in_bf16",
     {"model.ffw={kind: pkm, num_values: 64, heads: 2, top_k: 4, d_key: 8, table: t}", "model.layers=[]",
      "train.precision=bf16"}},
    {"without_accumulation", {"train.micro_batch_size=8"}},
    {"glu_sigmoid_dense_updates",
     {"model.layers.0.ffw.glu=true", "model.layers.0.ffw.score=sigmoid", "optim.tables.update=dense"}},
    {"muon", {"optim.kind=muon"}},
    {"shared_table",
     {"model.ffw={kind: peer, num_experts: 64, heads: 2, top_k: 4, d_key: 8, table: t}", "model.layers=[]",
      "optim.weight_decay=0.3"}},
};

}  // namespace peerless::test
