#include "peerless/checkpoint/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "src/checkpoint/strict_json.h"

namespace peerless::safetensors {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors and numbers are written as they lie in memory");

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kAlignment = 8;
constexpr std::string_view kMetadata = "__metadata__";

// One file's header on its way in, with what its messages need.
class Reader {
 public:
  Reader(const InputFile& file, const std::filesystem::path& path) : file_(file), path_(printable(path.string())) {}

  Header read(std::uint64_t max_header) const {
    const std::string text = read_text(max_header);
    const auto json = parse_strict_json(text, path_);
    Header header{{}, {}, kLengthBytes + text.size()};
    for (const auto& [name, value] : json.items()) {
      if (name == kMetadata) {
        header.metadata = metadata(value);
      } else {
        header.tensors.push_back(tensor(name, value));
      }
    }
    check_layout(header);
    return header;
  }

 private:
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    throw Error(ExitCode::data, path_, ": ", parts...);
  }

  std::string read_text(std::uint64_t max_header) const {
    if (file_.size() < kLengthBytes) refuse("too short for a safetensors file: ", file_.size(), " bytes");
    std::uint64_t length = 0;
    file_.read(0, std::as_writable_bytes(std::span(&length, 1)));
    if (length > max_header) refuse("a header of ", length, " bytes exceeds the limit of ", max_header);
    if (length > file_.size() - kLengthBytes) {
      refuse("a header of ", length, " bytes does not fit the file of ", file_.size(), " bytes");
    }
    std::string text(length, '\0');
    file_.read(kLengthBytes, std::as_writable_bytes(std::span(text)));
    if (!text.starts_with('{')) refuse("the header must begin with '{'");
    return text;
  }

  Metadata metadata(const nlohmann::json& value) const {
    if (!value.is_object()) refuse(kMetadata, " must be an object");
    Metadata result;
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) refuse(kMetadata, " \"", shown(key), "\" must be a string");
      result.emplace(key, text.get<std::string>());
    }
    return result;
  }

  Tensor tensor(const std::string& name, const nlohmann::json& value) const {
    const auto want = [&, this](bool holds, std::string_view rule) {
      if (!holds) refuse("tensor \"", shown(name), "\": ", rule);
    };
    want(value.is_object() && value.size() == 3 && value.contains("dtype") && value.contains("shape") &&
             value.contains("data_offsets"),
         "must have dtype, shape and data_offsets, and nothing else");
    want(value["dtype"].is_string(), "dtype must be a string");
    const auto shape = natural_numbers(value["shape"]);
    want(shape.has_value(), "shape must be a list of integers >= 0");
    const auto offsets = natural_numbers(value["data_offsets"]);
    want(offsets && offsets->size() == 2 && offsets->at(0) <= offsets->at(1),
         "data_offsets must be two integers, 0 <= begin <= end");

    Tensor tensor{name, dtype(name, value["dtype"].get<std::string>()), *shape,
                  static_cast<std::uint64_t>(offsets->at(0)), static_cast<std::uint64_t>(offsets->at(1))};
    std::uint64_t bytes = size_of(tensor.dtype);
    for (const auto extent : tensor.shape) {
      want(!__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes), "its size does not fit 64 bits");
    }
    if (bytes != tensor.end - tensor.begin) {
      refuse("tensor \"", shown(name), "\": dtype and shape make ", bytes, " bytes, data_offsets ",
             tensor.end - tensor.begin);
    }
    return tensor;
  }

  DType dtype(const std::string& name, const std::string& text) const {
    try {
      return parse_dtype(text);
    } catch (const Error& error) {
      refuse("tensor \"", shown(name), "\": ", error.what());
    }
  }

  void check_layout(Header& header) const {
    auto& tensors = header.tensors;
    std::sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) {
      return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::uint64_t covered = 0;
    for (const auto& tensor : tensors) {
      if (tensor.begin != covered) {
        refuse("tensor \"", shown(tensor.name), "\" begins at byte ", tensor.begin, " of the data, expected ", covered,
               ": no holes, no overlap");
      }
      covered = tensor.end;
    }
    const std::uint64_t data = file_.size() - header.data_begin;
    if (covered != data) refuse("the tensors cover ", covered, " bytes of data, the file holds ", data);
  }

  const InputFile& file_;
  std::string path_;
};

}  // namespace

Header read_header(const InputFile& file, const std::filesystem::path& path, std::uint64_t max_header) {
  return Reader(file, path).read(max_header);
}

Header lay_out(std::vector<Tensor> tensors, Metadata metadata) {
  std::uint64_t next = 0;
  for (auto& tensor : tensors) {
    std::uint64_t bytes = size_of(tensor.dtype);
    for (const auto extent : tensor.shape) bytes *= static_cast<std::uint64_t>(extent);
    tensor.begin = next;
    tensor.end = next += bytes;
  }
  Header header{std::move(tensors), std::move(metadata), 0};
  header.data_begin = encode(header).size();
  return header;
}

std::string encode(const Header& header) {
  std::vector<std::string> members;
  if (!header.metadata.empty()) {
    members.push_back(concat("\"", kMetadata, "\":", nlohmann::json(header.metadata).dump()));
  }
  for (const auto& [name, dtype, shape, begin, end] : header.tensors) {
    const nlohmann::ordered_json value = {{"dtype", name_of(dtype)}, {"shape", shape}, {"data_offsets", {begin, end}}};
    members.push_back(concat(nlohmann::json(name).dump(), ":", value.dump()));
  }
  std::string text = concat("{", join(members, ","), "}");
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  const std::uint64_t length = text.size();
  PEERLESS_CHECK(length <= kMaxHeader, "a safetensors header of ", length, " bytes");
  std::string bytes(kLengthBytes, '\0');
  std::memcpy(bytes.data(), &length, kLengthBytes);
  return bytes + text;
}

}  // namespace peerless::safetensors
