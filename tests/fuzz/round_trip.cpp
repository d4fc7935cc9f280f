// A state of random tensors: saved as a checkpoint, read back, equal.
#include "peerless/base/peers.h"
#include "peerless/checkpoint/checkpoint.h"
#include "peerless/checkpoint/save.h"
#include "tests/fuzz/targets.h"
#include "tests/support/memory_files.h"

namespace peerless::fuzz {
namespace {

constexpr std::array kDTypes = {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64,
                                DType::i32, DType::i16, DType::i8,  DType::u8,   DType::boolean};

struct Array {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

std::vector<Array> draw_arrays(Bytes bytes) {
  Draw draw(bytes);
  std::vector<Array> arrays;
  while (!draw.done() && arrays.size() < 8) {
    auto name = concat(printable(text_of(draw.take(draw.below(12)))), ".", arrays.size());
    Array array{std::move(name), kDTypes[draw.below(kDTypes.size())], {}, ""};
    for (auto dims = draw.below(5); dims > 0; --dims) array.shape.push_back(static_cast<std::int64_t>(draw.below(6)));
    array.bytes = text_of(draw.take(static_cast<std::size_t>(volume(array.shape)) * size_of(array.dtype)));
    array.bytes.resize(static_cast<std::size_t>(volume(array.shape)) * size_of(array.dtype));
    arrays.push_back(std::move(array));
  }
  return arrays;
}

State state_of(std::vector<Array>& arrays) {
  State state;
  for (auto& [name, dtype, shape, bytes] : arrays)
    state.add(name, dtype, shape, std::as_writable_bytes(std::span(bytes)));
  return state;
}

}  // namespace

bool round_trip(Bytes bytes) {
  auto arrays = draw_arrays(bytes);
  MemoryFiles files;
  files.make_folder("/checkpoints");
  NoPeers alone;
  CheckpointInfo info;
  info.step = 1;
  info.config = printable(text_of(bytes));
  save_together(alone, files, "/checkpoints", state_of(arrays), info);

  auto loaded = arrays;
  for (auto& array : loaded) std::fill(array.bytes.begin(), array.bytes.end(), '\x55');
  const auto checkpoint = Checkpoint::open_verified(files, concat("/checkpoints/", step_name(1)));
  checkpoint.load(state_of(loaded));
  PEERLESS_CHECK(checkpoint.info() == info, "another info");
  for (std::size_t i = 0; i < arrays.size(); ++i)
    PEERLESS_CHECK(loaded[i].bytes == arrays[i].bytes, arrays[i].name, " differs");
  return true;
}

}  // namespace peerless::fuzz
