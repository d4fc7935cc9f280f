#include "peerless/train/finite.h"

#include <ATen/ops/aminmax.h>

#include <cmath>

#include "peerless/base/error.h"

namespace peerless {
namespace {

bool is_finite(const at::Tensor& tensor) {
  if (!tensor.is_floating_point() || tensor.numel() == 0) return true;
  const auto [least, greatest] = at::aminmax(tensor.detach());  // one NaN makes both NaN
  return std::isfinite(least.item<double>()) && std::isfinite(greatest.item<double>());
}

}  // namespace

void check_finite(const NamedTensors& tensors, const std::filesystem::path& checkpoint) {
  for (const auto& named : tensors)
    if (!is_finite(named.tensor))
      throw Error(ExitCode::data, checkpoint, ": tensor ", named.name,
                  " holds what is no finite number; --allow-nonfinite takes it all the same");
}

}  // namespace peerless
