#include "peerless/optim/step_update.h"

#include <cmath>
#include <map>
#include <numeric>

namespace peerless {

StepUpdate::StepUpdate(const ParameterSet& parameters, const OptimConfig& config, Communicator& communicator,
                       const Division& division)
    : communicator_(communicator),
      copies_(communicator),
      dense_tables_(shared_settings(config).tables.update == TableUpdate::dense),
      gradients_(parameters),
      owners_(division.zero && communicator.world_size() > 1 ? deal(parameters, config, communicator.world_size())
                                                             : std::vector<Shares>()),
      reduction_(gradients_, communicator, division.order, owners_),
      owned_(owners_.empty() ? everything(parameters) : owned_by(communicator.rank(), parameters, owners_, reduction_)),
      optimizer_(make_optimizer(owned_, config)) {}

void StepUpdate::accumulate(std::int64_t micro_batches, const std::function<void()>& backward) {
  gradients_.clear();
  reduction_.run(micro_batches, backward);
}

StepUpdate::Result StepUpdate::finish(double lr, double loss, const std::function<void()>& commit) {
  Result result{.norms = measure(owned_, communicator_)};
  result.rows_touched = count_rows_touched();
  result.skipped = !std::isfinite(loss) || !result.norms.finite();
  if (result.skipped) return result;
  optimizer_->step(lr, result.norms);
  if (!owners_.empty()) send_updates();
  commit();
  return result;
}

// Of whole rows: those of whom the first columns are here.
std::int64_t StepUpdate::count_rows_touched() const {
  std::int64_t rows = 0;
  for (const auto& part : owned_)
    if (part.rows && (owners_.empty() || part.parameter.shard.index == 0)) rows += part.rows->size();
  if (owners_.empty()) return rows;
  const auto all = gather(communicator_, rows);
  return std::accumulate(all.begin(), all.end(), std::int64_t{0});
}

// Every process gets what the other holders of its shards have updated.
void StepUpdate::send_updates() {
  const torch::NoGradGuard no_grad;
  std::map<std::int64_t, std::vector<SharedTensor>> changed;  // by the ways of their shards
  auto dense = owners_.begin();
  auto table = reduction_.tables().begin();
  for (const auto& [parameter, part, rows, sliced] : owned_) {
    if (!rows) {
      changed[parameter.shard.ways].push_back({parameter.tensor.detach().view(-1), *dense++});
      continue;
    }
    if (dense_tables_)
      changed[parameter.shard.ways].push_back({parameter.tensor.detach().view(-1), table->elements_owned()});
    else
      table->gather_changed(parameter.tensor.detach());
    ++table;
  }
  for (const auto& [ways, tensors] : changed) all_gather(copies_.of(ways), tensors);
}

}  // namespace peerless
