#include "peerless/params/gradients.h"

#include "peerless/params/huge_pages.h"

namespace peerless {

Gradients::Gradients(const ParameterSet& parameters) {
  constexpr std::int64_t kAlignment = 64;
  std::int64_t size = 0;
  for (const auto& parameter : parameters.parameters()) {
    if (parameter.rows) {
      tables_.push_back({parameter.rows, parameter.shard.ways});
      continue;
    }
    const auto& first = places_.empty() ? parameter.tensor : places_.front().parameter;
    TORCH_CHECK(parameter.tensor.dtype() == first.dtype() && parameter.tensor.device() == first.device(),
                parameter.name, " has another dtype or device than the parameters before it");
    const std::int64_t per_line = kAlignment / parameter.tensor.element_size();
    places_.push_back({parameter.tensor, size, size + parameter.tensor.numel(), parameter.shard.ways});
    size += (parameter.tensor.numel() + per_line - 1) / per_line * per_line;
  }
  TORCH_CHECK(!places_.empty(), "a model without dense parameters");
  dense_ = huge_zeros({size}, places_.front().parameter.options().requires_grad(false));
  for (const auto& [tensor, begin, end, ways] : places_)
    tensor.mutable_grad() = dense_.slice(0, begin, end).view(tensor.sizes());
}

void Gradients::clear() {
  dense_.zero_();
  for (const auto& table : tables_) table.rows->clear();
}

}  // namespace peerless
