#include "peerless/train/memory_plan.h"

#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "peerless/dist/row_reduction.h"
#include "peerless/optim/ownership.h"
#include "peerless/params/parameter_set.h"
#include "peerless/train/setup.h"

namespace peerless {
namespace {

constexpr double kProgram = 130e6;  // LibTorch's libraries as far as they are used, measured with a tiny model

// A group that a model is built for, not run in.
class PlannedGroup final : public Communicator {
 public:
  explicit PlannedGroup(std::int64_t size) : size_(size) {}
  std::int64_t rank() const override { return 0; }
  std::int64_t world_size() const override { return size_; }
  void exchange(const Messages& /*sent*/, const Messages& /*received*/) override { TORCH_CHECK(false, "a plan only"); }
  std::unique_ptr<Communicator> channel() override { return std::make_unique<PlannedGroup>(size_); }

 private:
  std::int64_t size_;
};

struct Planner {
  const RunConfig& config;
  std::int64_t vocab, processes;

  double tokens_of_micro_batch() const {
    return static_cast<double>(config.train.micro_batch_size * config.data.seq_len);
  }
  double micro_batches_here() const {
    return static_cast<double>(config.train.global_batch_size / config.train.micro_batch_size / processes);
  }
  // Gradients that wait for their neighbours in the tree.
  double copies_of_gradient() const {
    return config.train.determinism == Determinism::elastic ? std::ceil(std::log2(micro_batches_here())) : 0;
  }
  bool zero() const { return config.parallel.zero == 1 && processes > 1; }

  // Bytes of the moments of each parameter, on the process that holds most of all.
  std::vector<double> moments_of(const ParameterSet& parameters) const {
    if (!zero()) return moments_of(parameters, [](const Parameter& p) { return p.tensor.numel(); });
    const auto owners = deal(parameters, config.optim, processes);
    std::vector<double> most;
    for (std::int64_t rank = 0; rank < processes; ++rank) {
      auto dense = owners.begin();
      auto moments = moments_of(parameters, [&](const Parameter& p) {
        if (p.rows) return p.tensor.numel() * p.shard.ways / processes;
        return (*dense++)[static_cast<std::size_t>(rank / p.shard.ways)].size();
      });
      if (sum_of(moments) > sum_of(most)) most = std::move(moments);
    }
    return most;
  }
  template <class ElementsHere>
  std::vector<double> moments_of(const ParameterSet& parameters, const ElementsHere& elements_here) const {
    std::vector<double> moments;
    for (const auto& p : parameters.parameters()) {
      const bool by_muon = std::holds_alternative<MuonConfig>(config.optim) && p.role == Role::matrix;
      moments.push_back((by_muon ? 4.0 : 8.0) * static_cast<double>(elements_here(p)));
    }
    return moments;
  }
  static double sum_of(const std::vector<double>& some) { return std::accumulate(some.begin(), some.end(), 0.0); }

  // What this process writes of a checkpoint, and copies for that: its share of what others hold too.
  double saved_of(const Parameter& p, double moments) const {
    const double copies = static_cast<double>(processes) / static_cast<double>(p.shard.ways);
    return static_cast<double>(p.tensor.nbytes()) / copies + (zero() ? moments : moments / copies);
  }

  // Distinct rows of a table that so many retrievals of each of its tokens touch, drawn evenly.
  double rows_touched(const TableUse& table, double tokens) const {
    double retrievals = 0;
    for (std::int64_t layer = 0; layer < config.model.n_layers; ++layer) retrievals += retrieved(layer, table.name);
    const auto rows = static_cast<double>(table.rows);
    return rows * -std::expm1(-tokens * retrievals / rows);
  }
  double retrieved(std::int64_t layer, const std::string& table) const {
    return std::visit(
        [&](const auto& c) {
          double all = 0;
          if constexpr (requires { c.routing(); })
            for (const auto& use : c.tables(config.model.d_model, layer))
              if (use.name == table) all += static_cast<double>(c.heads * c.top_k);
          return all;
        },
        config.model.ffw_of(layer));
  }

  // Its row gradients in a step, and what sums them over processes.
  double row_gradients(const TableUse& table) const {
    const auto ways = config.parallel.table;
    const double here = tokens_of_micro_batch() * micro_batches_here() * static_cast<double>(ways);
    const double row = 4.0 * static_cast<double>(table.width / ways) + 20;
    const double mine = rows_touched(table, here);
    double rows = mine * (1 + copies_of_gradient()), under_way = 0;
    if (processes > ways) {
      const double of_all = rows_touched(table, here * static_cast<double>(processes / ways));
      const double owned = of_all * static_cast<double>(ways) / static_cast<double>(processes);
      // The sums as they come from each, and the whole where all get it.
      rows += mine + owned + (config.parallel.zero == 1 ? 0 : of_all - mine);
      under_way = 2 * std::min(mine * row, static_cast<double>(RowReduction::kBytesUnderWay));
    }
    return rows * row + under_way + 4.0 * static_cast<double>(table.rows);
  }

  // Bytes of a token that a layer keeps beside Cost::kept where processes share it: what went to the token's experts
  // and came back; of each of its rows in a table, what all holders know: number, weight and a dot product.
  double kept_by_exchanges(std::int64_t layer) const {
    const auto d = static_cast<double>(config.model.d_model);
    return std::visit(
        [&](const auto& c) -> double {
          if constexpr (requires { c.chosen(); }) {
            return config.parallel.expert > 1 ? (4.0 + compute_bytes()) * static_cast<double>(c.chosen()) * d : 0;
          } else if constexpr (requires { c.routing(); }) {
            const auto ways = config.parallel.table;
            return ways > 1 ? 12.0 * static_cast<double>(ways * c.heads * c.top_k) + 4 * d : 0;
          }
          return 0;
        },
        config.model.ffw_of(layer));
  }
  double compute_bytes() const { return config.train.precision == Precision::bf16 ? 2 : 4; }

  // The inside of a layer, and what enters its two norms and leaves them.
  double activations() const {
    const auto d = static_cast<double>(config.model.d_model);
    const double attention = Attention::cost(config.model, config.data.seq_len).kept;
    double all = 2 * d, largest = 0;
    for (std::int64_t layer = 0; layer < config.model.n_layers; ++layer) {
      const double ffw =
          std::visit([&](const auto& c) { return c.cost(config.model.d_model).kept; }, config.model.ffw_of(layer));
      const double inside = (attention + ffw + 2 * d) * compute_bytes() + 2 * d * 4 + kept_by_exchanges(layer);
      largest = std::max(largest, inside);
      all += config.train.recompute == Recompute::layer ? 4 * d : inside;
    }
    if (config.train.recompute == Recompute::layer) all += largest;
    return all * tokens_of_micro_batch();
  }

  // Chunks of logits, and both gradients of the head's product.
  double temporaries() const {
    const auto v = static_cast<double>(vocab), d = static_cast<double>(config.model.d_model);
    const double chunk =
        std::clamp(static_cast<double>(std::bit_floor((1U << 21) / static_cast<unsigned>(vocab))), 256.0, 1024.0);
    return 4 * (3 * std::min(chunk, tokens_of_micro_batch()) * v + v * d + tokens_of_micro_batch() * d);
  }
};

}  // namespace

std::vector<MemoryPart> plan_memory(const RunConfig& config, std::int64_t vocab, std::int64_t processes) {
  check_division(config, processes);
  PlannedGroup experts(config.parallel.expert), tables(config.parallel.table);
  const auto model = std::make_shared<LanguageModel>(
      config.model, vocab, config.data.seq_len, at::TensorOptions(at::kFloat).device(at::kMeta),
      compute_dtype(config.train.precision),
      ShardGroups{config.parallel.expert > 1 ? &experts : nullptr, config.parallel.table > 1 ? &tables : nullptr});
  const Planner planner{config, vocab, processes};
  const ParameterSet parameters(*model);
  const auto moments = planner.moments_of(parameters);
  double weights = 0, dense = 0, saved = 0, row_gradients = 0;
  for (std::size_t i = 0; i < moments.size(); ++i) {
    const auto& p = parameters.parameters()[i];
    const auto bytes = static_cast<double>(p.tensor.nbytes());
    weights += bytes;
    if (!p.rows) dense += bytes;
    saved += planner.saved_of(p, moments[i]);
  }
  for (const auto& table : config.model.tables()) row_gradients += planner.row_gradients(table);
  const bool narrow = config.train.precision == Precision::bf16;
  return {{"weights", weights},
          {"moments", Planner::sum_of(moments)},
          {"gradients", dense * (1 + planner.copies_of_gradient())},
          {"gradients of rows", row_gradients},
          {"kept for backward", planner.activations() + (narrow ? dense / 2 : 0)},
          {"temporaries", planner.temporaries()},
          {"copy to save", config.checkpoint.mode == SaveMode::async ? saved : 0},
          {"program", kProgram}};
}

}  // namespace peerless
