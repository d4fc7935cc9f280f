// Tensors in a safetensors file: how tests talk with PyTorch.
#pragma once

#include <ATen/ops/empty.h>

#include <algorithm>
#include <filesystem>

#include "peerless/checkpoint/safetensors.h"
#include "peerless/params/tensor_state.h"

namespace peerless::test {

struct TensorFile {
  NamedTensors tensors;
  safetensors::Metadata metadata;

  const at::Tensor& at(const std::string& name) const {
    const auto it = std::find_if(tensors.begin(), tensors.end(), [&](const auto& item) { return item.name == name; });
    if (it == tensors.end()) throw Error(ExitCode::data, "no tensor ", name);
    return it->tensor;
  }
};

inline at::ScalarType scalar_type(DType dtype) {
  for (const auto type :
       {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar, at::kByte})
    if (dtype_of(at::empty({0}, type)) == dtype) return type;
  return at::kBool;
}

inline TensorFile read_tensors(const std::filesystem::path& path) {
  const auto file = disk().open(path);
  const auto header = safetensors::read_header(*file, path);
  TensorFile result{{}, header.metadata};
  for (const auto& [name, dtype, shape, begin, end] : header.tensors) {
    const auto tensor = at::empty(shape, scalar_type(dtype));
    file->read(header.data_begin + begin, {static_cast<std::byte*>(tensor.data_ptr()), end - begin});
    result.tensors.push_back({name, tensor});
  }
  return result;
}

inline void write_tensors(const std::filesystem::path& path, const TensorFile& file) {
  std::vector<safetensors::Tensor> layout;
  std::string data;
  for (const auto& [name, tensor, slice] : file.tensors) {
    const auto host = tensor.detach().contiguous();
    layout.push_back({name, dtype_of(host), host.sizes().vec()});
    data.append(static_cast<const char*>(host.data_ptr()), host.nbytes());
  }
  write_atomically(disk(), path, safetensors::encode(safetensors::lay_out(std::move(layout), file.metadata)) + data);
}

}  // namespace peerless::test
