#include "peerless/train/shared_save.h"

#include <algorithm>
#include <numeric>

#include "peerless/dist/collectives.h"

namespace peerless {

NamedTensors part_to_save(const NamedTensors& tensors, const Communicator& communicator) {
  std::vector<std::size_t> load(static_cast<std::size_t>(communicator.world_size()));
  NamedTensors part;
  std::int64_t copied = 0;
  for (const auto& named : tensors) {
    if (named.slice) {
      // Of equal copies one holder after the other writes; all count alike, so that all know who.
      const std::int64_t every = named.slice->copies_every;
      if (every == 0 || communicator.rank() / every == copied++ % (communicator.world_size() / every))
        part.push_back(named);
      continue;
    }
    const auto least = std::min_element(load.begin(), load.end());
    if (least - load.begin() == communicator.rank()) part.push_back(named);
    *least += named.tensor.nbytes();
  }
  return part;
}

void save_together(Communicator& communicator, Files& files, const std::filesystem::path& folder, const State& mine,
                   const CheckpointInfo& info) {
  const bool leads = communicator.rank() == 0;
  const auto sizes = gather(communicator, static_cast<std::int64_t>(mine.size_bytes()));
  const auto bytes = static_cast<std::uint64_t>(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}));
  Save save(files, folder, info);
  try {
    together(communicator, [&] {
      if (leads) save.begin(bytes);
    });
    SavedPart part;
    together(communicator, [&] {
      part = write_part(files, save.temporary(), mine, static_cast<int>(communicator.rank()),
                        static_cast<int>(communicator.world_size()));
    });
    const auto texts = gather(communicator, to_text(part));
    together(communicator, [&] {
      if (!leads) return;
      std::vector<SavedPart> parts;
      for (const auto& text : texts) parts.push_back(to_part(text));
      save.commit(parts);
    });
  } catch (...) {
    if (leads) save.abandon();
    throw;
  }
}

}  // namespace peerless
