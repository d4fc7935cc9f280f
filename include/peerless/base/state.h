// What a run must remember, as named arrays in host memory: the one currency between params, optim, train and the
// checkpoint room, none of which knows the others.
//
// An entry *views* memory that belongs to somebody else (a tensor, a counter); `owner` keeps it alive. Saving reads the
// views, loading writes them: a table of a billion numbers is never copied on its way.
//
// Errors   PEERLESS_CHECK: a name twice, a slice outside its shape, a view of the wrong size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace peerless {

// Element types, by their safetensors names (F64, F32, ...). Values are written nowhere; names are.
enum class DType { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

std::size_t size_of(DType dtype);
std::string_view name_of(DType dtype);                 // "F32"
DType parse_dtype(std::string_view safetensors_name);  // Error(data) when unknown

struct StateEntry {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;   // of the whole array, over all processes; empty for a scalar
  std::vector<std::int64_t> offset;  // where this process's slice begins; zeros when it holds the whole
  std::vector<std::int64_t> extent;  // shape of this process's slice
  std::span<std::byte> bytes;        // the slice, row-major, contiguous, little-endian
  std::shared_ptr<void> owner;

  bool whole() const { return extent == shape; }
};

// Entries in the order they were added; names are unique.
class State {
 public:
  void add(StateEntry entry);
  // A whole array whose memory `owner` keeps alive.
  void add(std::string name, DType dtype, std::vector<std::int64_t> shape, std::span<std::byte> bytes,
           std::shared_ptr<void> owner = nullptr);
  // A scalar counter that lives elsewhere.
  void add(std::string name, std::int64_t& value);
  void add(State other);

  const std::vector<StateEntry>& entries() const { return entries_; }
  const StateEntry* find(std::string_view name) const;  // nullptr when absent
  std::size_t size_bytes() const;                       // of the slices held here

 private:
  std::vector<StateEntry> entries_;
  std::unordered_map<std::string, std::size_t> index_;  // name -> position in entries_
};

}  // namespace peerless
