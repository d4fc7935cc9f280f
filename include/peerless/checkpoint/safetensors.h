// The safetensors format: a header that says where each tensor lies, then their bytes.
//
//   u64 N, little-endian | N bytes of JSON, padded with spaces so that the data begins at a multiple of 8 | data
//   {"__metadata__": {"format": "pt"}, "weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
//
// Offsets count from the beginning of the data, end excluded; tensors are row-major and little-endian, in any order,
// and cover the data without hole or overlap. Nothing in such a file can name code or another file.
//
// Errors   Error(data), "PATH: ...": whatever breaks these rules, a dtype that `DType` does not have, a header above
//          the limit, a name twice, metadata that is no text, invalid UTF-8, a size that does not fit 64 bits.
// Source   https://huggingface.co/docs/safetensors
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/base/state.h"

namespace peerless::safetensors {

struct Tensor {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  // bytes from the beginning of the data
  std::uint64_t end = 0;
  bool operator==(const Tensor&) const = default;
};

using Metadata = std::map<std::string, std::string>;

struct Header {
  std::vector<Tensor> tensors;  // in the order of their bytes
  Metadata metadata;
  std::uint64_t data_begin = 0;  // where the data begins in the file

  std::uint64_t file_size() const { return data_begin + (tensors.empty() ? 0 : tensors.back().end); }
};

// What other writers are allowed: the limit of the format's own library.
constexpr std::uint64_t kMaxHeader = 100'000'000;

// Reads and checks the header, against the file's size too. `path` is for the messages.
Header read_header(const InputFile& file, const std::filesystem::path& path, std::uint64_t max_header = kMaxHeader);

// Lays the tensors out one after another in the order given (their begin and end are not looked at).
Header lay_out(std::vector<Tensor> tensors, Metadata metadata);

// The bytes of a file up to the data.
std::string encode(const Header& header);

}  // namespace peerless::safetensors
