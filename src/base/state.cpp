#include "peerless/base/state.h"

#include <array>
#include <utility>

#include "peerless/base/error.h"

namespace peerless {
namespace {

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  std::size_t size;
};

constexpr std::array<DTypeInfo, 10> kDTypes = {{{DType::f64, "F64", 8},
                                                {DType::f32, "F32", 4},
                                                {DType::f16, "F16", 2},
                                                {DType::bf16, "BF16", 2},
                                                {DType::i64, "I64", 8},
                                                {DType::i32, "I32", 4},
                                                {DType::i16, "I16", 2},
                                                {DType::i8, "I8", 1},
                                                {DType::u8, "U8", 1},
                                                {DType::boolean, "BOOL", 1}}};

const DTypeInfo& info_of(DType dtype) {
  for (const auto& info : kDTypes) {
    if (info.dtype == dtype) return info;
  }
  PEERLESS_CHECK(false, "no such dtype: ", static_cast<int>(dtype));
  return kDTypes.front();
}

void check(const StateEntry& entry) {
  const std::size_t rank = entry.shape.size();
  PEERLESS_CHECK(entry.offset.size() == rank && entry.extent.size() == rank, entry.name,
                 ": shape, offset and extent must have the same number of dimensions");
  std::size_t elements = 1;
  for (std::size_t d = 0; d < rank; ++d) {
    PEERLESS_CHECK(entry.offset[d] >= 0 && entry.extent[d] >= 0 && entry.offset[d] + entry.extent[d] <= entry.shape[d],
                   entry.name, ": the slice leaves the shape in dimension ", d);
    elements *= static_cast<std::size_t>(entry.extent[d]);
  }
  PEERLESS_CHECK(entry.bytes.size() == elements * size_of(entry.dtype), entry.name, ": ", entry.bytes.size(),
                 " bytes for ", elements, " elements of ", name_of(entry.dtype));
}

}  // namespace

std::size_t size_of(DType dtype) { return info_of(dtype).size; }

std::string_view name_of(DType dtype) { return info_of(dtype).name; }

DType parse_dtype(std::string_view safetensors_name) {
  for (const auto& info : kDTypes) {
    if (info.name == safetensors_name) return info.dtype;
  }
  throw Error(ExitCode::data, "unknown element type \"", excerpt(safetensors_name), "\"");
}

void State::add(StateEntry entry) {
  check(entry);
  const bool is_new = index_.emplace(entry.name, entries_.size()).second;
  PEERLESS_CHECK(is_new, entry.name, " is in the state already");
  entries_.push_back(std::move(entry));
}

void State::add(std::string name, DType dtype, std::vector<std::int64_t> shape, std::span<std::byte> bytes,
                std::shared_ptr<void> owner) {
  add({.name = std::move(name),
       .dtype = dtype,
       .shape = shape,
       .offset = std::vector<std::int64_t>(shape.size(), 0),
       .extent = std::move(shape),
       .bytes = bytes,
       .owner = std::move(owner)});
}

void State::add(std::string name, std::int64_t& value) {
  add(std::move(name), DType::i64, {}, std::as_writable_bytes(std::span(&value, 1)));
}

void State::add(State other) {
  for (auto& entry : other.entries_) add(std::move(entry));
}

const StateEntry* State::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &entries_[found->second];
}

std::size_t State::size_bytes() const {
  std::size_t total = 0;
  for (const auto& entry : entries_) total += entry.bytes.size();
  return total;
}

}  // namespace peerless
