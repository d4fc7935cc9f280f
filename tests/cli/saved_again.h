// A checkpoint that verifies, and differs from the one that the program saved.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <span>

#include "peerless/checkpoint/checkpoint_folder.h"

namespace peerless::test {

// Saves the checkpoint of `step` again, hashes and all, with the last element of one tensor changed.
inline void save_again(const std::filesystem::path& run, std::int64_t step, const std::string& tensor_name,
                       const std::function<void(DType dtype, std::span<std::byte> element)>& change) {
  CheckpointFolder folder(disk(), run / "checkpoints");
  std::map<std::string, std::vector<std::byte>> memory;
  State state;
  CheckpointInfo info;
  {
    const Checkpoint checkpoint = folder.open(step);
    info = checkpoint.info();
    for (const auto& tensor : checkpoint.manifest().tensors) {
      auto& bytes = memory[tensor.name];
      bytes.resize(size_of(tensor.dtype) * static_cast<std::size_t>(volume(tensor.shape)));
      state.add(tensor.name, tensor.dtype, tensor.shape, bytes);
    }
    checkpoint.load(state);
  }
  ASSERT_TRUE(memory.contains(tensor_name)) << tensor_name;
  const auto dtype = state.find(tensor_name)->dtype;
  change(dtype, std::span(memory[tensor_name]).last(size_of(dtype)));
  std::filesystem::remove_all(run / "checkpoints" / step_name(step));
  folder.save(state, info);
}

}  // namespace peerless::test
