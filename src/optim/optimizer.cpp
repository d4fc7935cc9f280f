#include "peerless/optim/optimizer.h"

#include "peerless/optim/adamw.h"
#include "peerless/optim/muon.h"

namespace peerless {
namespace {

std::unique_ptr<Optimizer> make(const std::vector<Owned>& parts, const AdamWConfig& config) {
  return std::make_unique<AdamW>(parts, config);
}

std::unique_ptr<Optimizer> make(const std::vector<Owned>& parts, const MuonConfig& config) {
  return std::make_unique<Muon>(parts, config);
}

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const std::vector<Owned>& parts, const OptimConfig& config) {
  return std::visit([&](const auto& kind) { return make(parts, kind); }, config);
}

}  // namespace peerless
