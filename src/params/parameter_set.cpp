#include "peerless/params/parameter_set.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <span>
#include <unordered_set>

#include "peerless/base/random.h"

namespace peerless {
namespace {

constexpr std::int64_t kChunk = 1 << 16;  // numbers drawn at a time; no effect on their values

// Scales each column group of the rows-by-columns matrix that `values`, starting at element `first`, is a stretch of.
void scale_columns(std::span<float> values, std::int64_t first, std::int64_t columns,
                   const std::vector<double>& scales) {
  const auto groups = static_cast<std::int64_t>(scales.size());
  for (std::size_t done = 0;
       done < values.size();) {  // by runs: a division for each element costs more than drawing it
    const std::int64_t column = (first + static_cast<std::int64_t>(done)) % columns;
    const std::int64_t group = column * groups / columns;
    const std::int64_t next_group = ((group + 1) * columns + groups - 1) / groups;
    const std::size_t run = std::min(values.size() - done, static_cast<std::size_t>(next_group - column));
    const auto scale = static_cast<float>(scales[static_cast<std::size_t>(group)]);
    for (float& value : values.subspan(done, run)) value *= scale;
    done += run;
  }
}

void draw(std::span<float> out, std::int64_t first, const RandomStream& stream, const Init& init,
          std::int64_t columns) {
  const auto index = static_cast<std::uint64_t>(first);
  switch (init.kind) {
    case Init::Kind::constant:
      std::fill(out.begin(), out.end(), static_cast<float>(init.scales[0]));
      return;
    case Init::Kind::normal:
      stream.normal(out, index);
      scale_columns(out, first, columns, init.scales);
      return;
    case Init::Kind::uniform:
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<float>(init.scales[0] * (2 * stream.uniform(index + i) - 1));
      return;
  }
}

std::int64_t product(std::span<const std::int64_t> sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

// Calls draw(element, of the whole, count) for the stretches of the whole that elements [first, last) of a shard are.
template <class Draw>
void for_stretches(const Shard& shard, std::int64_t first, std::int64_t last, Draw draw) {
  const auto dim = static_cast<std::size_t>(shard.dim);
  const std::int64_t of_whole = shard.is_whole() ? product(shard.shape) : product(std::span(shard.shape).subspan(dim));
  const std::int64_t size = of_whole / shard.ways;
  for (std::int64_t element = first; element < last;) {
    const std::int64_t within = element % size, count = std::min(last - element, size - within);
    draw(element, element / size * of_whole + shard.index * size + within, count);
    element += count;
  }
}

void fill(const Parameter& parameter, std::uint64_t seed) {
  const torch::NoGradGuard no_grad;
  const RandomStream stream(seed, mix(0, parameter.name));
  const at::Tensor& target = parameter.tensor;
  const auto& shape = parameter.shard.shape;
  const std::int64_t columns = shape.empty() ? 1 : parameter.rows ? product(std::span(shape).subspan(1)) : shape.back();
  const bool in_place = target.is_cpu() && target.scalar_type() == at::kFloat && target.is_contiguous();
  const at::Tensor host = in_place ? target.detach() : at::empty(target.sizes(), at::kFloat);
  float* data = host.mutable_data_ptr<float>();
  const std::int64_t n = host.numel();
  at::parallel_for(0, (n + kChunk - 1) / kChunk, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t first = begin * kChunk; first < std::min(n, end * kChunk); first += kChunk) {
      for_stretches(parameter.shard, first, std::min(n, first + kChunk),
                    [&](std::int64_t here, std::int64_t of_whole, std::int64_t count) {
                      draw({data + here, static_cast<std::size_t>(count)}, of_whole, stream, parameter.init, columns);
                    });
    }
  });
  if (!in_place) target.copy_(host);
}

}  // namespace

ParameterSet::ParameterSet(const torch::nn::Module& root) {
  std::unordered_set<const at::TensorImpl*> seen;
  const auto check_once = [&](const auto& entry) {
    TORCH_CHECK(seen.insert(entry.tensor.unsafeGetTensorImpl()).second, entry.name, " is registered a second time");
  };
  for (const auto& item : root.named_modules("", /*include_self=*/true)) {
    const auto* module = dynamic_cast<const Module*>(item.value().get());
    if (!module) continue;
    const std::string prefix = item.key().empty() ? "" : item.key() + ".";
    for (Parameter parameter : module->own_parameters()) {
      parameter.name.insert(0, prefix);
      check_once(parameter);
      parameters_.push_back(std::move(parameter));
    }
    for (Buffer buffer : module->own_buffers()) {
      buffer.name.insert(0, prefix);
      check_once(buffer);
      buffers_.push_back(std::move(buffer));
    }
  }
}

const Parameter& ParameterSet::at(std::string_view name) const {
  const auto it = std::find_if(parameters_.begin(), parameters_.end(), [&](const auto& p) { return p.name == name; });
  TORCH_CHECK(it != parameters_.end(), "no parameter named ", name);
  return *it;
}

std::int64_t ParameterSet::num_elements() const {
  std::int64_t count = 0;
  for (const auto& parameter : parameters_) count += parameter.tensor.numel();
  return count;
}

void ParameterSet::initialize(std::uint64_t seed) const {
  for (const auto& parameter : parameters_) fill(parameter, seed);
}

NamedTensors ParameterSet::named_tensors() const {
  NamedTensors tensors;
  for (const auto& p : parameters_) {
    auto& named = tensors.emplace_back(NamedTensor{"model." + p.name, p.tensor.view(p.shard.extent())});
    if (!p.shard.is_whole()) named.slice = NamedTensor::Slice{p.shard.shape, p.shard.offset(), p.shard.ways};
  }
  for (const auto& buffer : buffers_) tensors.push_back({"model." + buffer.name, buffer.tensor});
  return tensors;
}

}  // namespace peerless
