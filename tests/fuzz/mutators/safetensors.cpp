// Safetensors files that differ in a value of the header. Its length is made right; every other time the tensors are
// laid one behind another, with data for them.
#include <algorithm>
#include <cstring>

#include "peerless/base/error.h"
#include "peerless/base/state.h"
#include "tests/fuzz/mutators/json.h"

namespace peerless::fuzz {
namespace {

constexpr std::size_t kLengthBytes = 8;

// As dtype and shape make it; of what is no tensor, any number.
std::uint64_t bytes_of(const Json& tensor) {
  std::uint64_t bytes = 1;
  for (const auto& extent : tensor.value("shape", Json())) {
    if (extent.is_number_unsigned()) bytes *= extent.get<std::uint64_t>();
  }
  const auto dtype = tensor.value("dtype", Json());
  try {
    return bytes * size_of(parse_dtype(dtype.is_string() ? dtype.get<std::string>() : ""));
  } catch (const Error&) {
    return bytes;
  }
}

// Gives the size of the data.
std::uint64_t lay_out(Json& header) {
  std::uint64_t next = 0;
  for (auto& value : header) {
    if (!value.is_object() || !value.contains("data_offsets")) continue;
    const auto begin = next;
    next += bytes_of(value);
    value["data_offsets"] = {begin, next};
  }
  return next;
}

std::string with_length(const std::string& header) {
  const std::uint64_t length = header.size();
  std::string text(kLengthBytes, '\0');
  std::memcpy(text.data(), &length, kLengthBytes);
  return text + header;
}

}  // namespace
}  // namespace peerless::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  using namespace peerless::fuzz;
  Random random(seed);
  if (size < kLengthBytes || random() % 4 == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::uint64_t length = 0;
  std::memcpy(&length, data, kLengthBytes);
  const std::string text(reinterpret_cast<const char*>(data) + kLengthBytes, size - kLengthBytes);
  length = std::min<std::uint64_t>(length, text.size());
  auto header = Json::parse(text.substr(0, length), nullptr, false);
  if (!header.is_object()) return LLVMFuzzerMutate(data, size, max_size);
  mutate(header, random);
  auto content = text.substr(length);
  if (header.is_object() && random() % 2 == 0) content.resize(std::min<std::uint64_t>(lay_out(header), max_size));
  return put(with_length(to_text(header)) + content, {data, max_size});
}
