#include "peerless/train/run_config.h"

#include <algorithm>
#include <filesystem>

namespace peerless {

template const config::Record& config::record_of<RunConfig>();

namespace {

std::int64_t experts_of(const MoeConfig& config) { return config.experts(); }
std::int64_t experts_of(const HashMoeConfig& config) { return config.num_experts; }
template <class Other>
std::int64_t experts_of(const Other& /*config*/) {
  return 0;
}

// What is held by several processes together must be there, and be cut into equal parts.
void check_shards(const ParallelConfig& parallel, const ModelConfig& model, Determinism determinism) {
  const auto refuse = [](const auto&... parts) { throw Error(ExitCode::config, parts...); };
  std::int64_t mixtures = 0;
  for (std::int64_t i = 0; i < model.n_layers; ++i) {
    const auto experts = std::visit([](const auto& ffw) { return experts_of(ffw); }, model.ffw_of(i));
    mixtures += experts > 0 ? 1 : 0;
    if (experts % parallel.expert != 0)
      refuse("parallel.expert (", parallel.expert, ") must divide the ", experts, " experts of layer ", i);
  }
  if (parallel.expert > 1 && mixtures == 0) refuse("parallel.expert has no effect: no layer is a mixture of experts");
  if (parallel.table > 1 && model.tables().empty()) refuse("parallel.table has no effect: no layer has a table");
  if (model.d_model % parallel.table != 0)
    refuse("parallel.table (", parallel.table, ") must divide model.d_model (", model.d_model, ")");
  if (determinism == Determinism::elastic && (parallel.expert > 1 || parallel.table > 1))
    refuse(
        "train.determinism: elastic holds where each process has the whole model: parallel.expert and parallel.table "
        "must be 1");
}

}  // namespace

void RunFolderConfig::check() const {
  const std::filesystem::path parts(name);
  const bool leads_away =
      parts.is_absolute() || std::ranges::any_of(parts, [](const auto& part) { return part == ".." || part == "."; });
  if (leads_away)
    throw Error(ExitCode::config, "name: must name a folder below run.dir, got '", excerpt(name),
                "'; run.dir may be any");
}

void RunConfig::check() const {
  check_shards(parallel, model, train.determinism);
  if (train.stop_at && *train.stop_at > train.max_steps)
    throw Error(ExitCode::config, "train.stop_at (", *train.stop_at, ") has no effect: max_steps is ", train.max_steps);
  if (model.tables().empty() && shared_settings(optim).tables != TablesConfig{})
    throw Error(ExitCode::config, "optim.tables has no effect: no layer has a table");
  if (data.val.empty() && eval != EvalConfig{})
    throw Error(ExitCode::config, "eval has no effect: data.val names no set");
}

}  // namespace peerless
