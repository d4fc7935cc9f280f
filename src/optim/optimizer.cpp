#include "peerless/optim/optimizer.h"

#include "peerless/optim/adamw.h"
#include "peerless/optim/muon.h"

namespace peerless {
namespace {

using Parameters = std::vector<Parameter>;

std::unique_ptr<Optimizer> make(const Parameters& parameters, const AdamWConfig& config) {
  return std::make_unique<AdamW>(parameters, config);
}

std::unique_ptr<Optimizer> make(const Parameters& parameters, const MuonConfig& config) {
  return std::make_unique<Muon>(parameters, config);
}

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const ParameterSet& parameters, const OptimConfig& config) {
  return std::visit([&](const auto& kind) { return make(parameters.parameters(), kind); }, config);
}

}  // namespace peerless
