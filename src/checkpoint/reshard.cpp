#include "peerless/checkpoint/reshard.h"

#include <algorithm>

#include "peerless/checkpoint/save.h"

namespace peerless {
namespace {

// Rows of a tensor that go into a part; all of a tensor with fewer rows than parts into the one of its number.
Box slice_of(const StoredTensor& tensor, std::size_t number, int part, int parts) {
  Box box = Box::whole(tensor.shape);
  if (tensor.shape.empty() || tensor.shape[0] < parts) {
    if (static_cast<int>(number % static_cast<std::size_t>(parts)) != part && !tensor.shape.empty()) box.extent[0] = 0;
    return box;
  }
  const auto begin = [&](int p) { return tensor.shape[0] * p / parts; };
  box.offset[0] = begin(part);
  box.extent[0] = begin(part + 1) - begin(part);
  return box;
}

// One part's slices, in memory of their own. A scalar has no rows: it goes into the first part.
State read_part(const Checkpoint& checkpoint, int part, int parts) {
  State state;
  const auto& tensors = checkpoint.manifest().tensors;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, dtype, shape, slices] = tensors[i];
    if (shape.empty() && part > 0) continue;
    const Box box = slice_of(tensors[i], i, part, parts);
    if (volume(box.extent) == 0 && volume(shape) > 0) continue;
    const auto bytes =
        std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(volume(box.extent)) * size_of(dtype));
    checkpoint.read(i, box, *bytes);
    state.add({name, dtype, shape, box.offset, box.extent, *bytes, bytes});
  }
  return state;
}

}  // namespace

void reshard(Files& files, const Checkpoint& checkpoint, const std::filesystem::path& folder, int parts) {
  expect_empty(files, folder);
  if (parts < 1) throw Error(ExitCode::usage, "a checkpoint has at least one file, got ", parts);
  Save save(files, folder, checkpoint.info());
  try {
    save.begin(checkpoint.size_bytes());
    sync_way_to(files, folder);
    std::vector<SavedPart> saved;
    for (int part = 0; part < parts; ++part)
      saved.push_back(write_part(files, save.temporary(), read_part(checkpoint, part, parts), part, parts));
    save.commit(saved);
  } catch (...) {
    save.abandon();
    throw;
  }
}

}  // namespace peerless
