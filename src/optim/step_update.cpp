#include "peerless/optim/step_update.h"

#include <cmath>
#include <numeric>

namespace peerless {

StepUpdate::StepUpdate(const ParameterSet& parameters, const OptimConfig& config, Communicator& communicator,
                       const Division& division)
    : communicator_(communicator),
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
  for (const auto& part : owned_)
    if (part.rows) result.rows_touched += part.rows->size();
  if (!owners_.empty()) {
    const auto all = gather(communicator_, result.rows_touched);
    result.rows_touched = std::accumulate(all.begin(), all.end(), std::int64_t{0});
  }
  result.skipped = !std::isfinite(loss) || !result.norms.finite();
  if (result.skipped) return result;
  optimizer_->step(lr, result.norms);
  if (!owners_.empty()) send_updates();
  commit();
  return result;
}

// Every process gets what the others have updated.
void StepUpdate::send_updates() const {
  const torch::NoGradGuard no_grad;
  std::vector<SharedTensor> changed;
  auto dense = owners_.begin();
  auto table = reduction_.tables().begin();
  for (const auto& [parameter, part, rows, sliced] : owned_) {
    if (!rows) {
      changed.push_back({parameter.tensor.detach().view(-1), *dense++});
      continue;
    }
    if (dense_tables_)
      changed.push_back({parameter.tensor.detach().view(-1), table->elements_owned()});
    else
      table->gather_changed(parameter.tensor.detach());
    ++table;
  }
  all_gather(communicator_, changed);
}

}  // namespace peerless
