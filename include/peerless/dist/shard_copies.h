// The processes that hold the same shard (params/parameter.h) of what is cut into so many: what is summed over, dealt
// to and compared with each other.
#pragma once

#include <map>

#include "peerless/dist/communicator.h"

namespace peerless {

class ShardCopies {
 public:
  explicit ShardCopies(Communicator& all) : all_(all) {}

  Communicator& of(std::int64_t ways) {  // which divides the number of all
    if (ways == 1) return all_;
    return subsets_.try_emplace(ways, all_, copies_of(all_, ways)).first->second;
  }

 private:
  Communicator& all_;
  std::map<std::int64_t, Subset> subsets_;
};

}  // namespace peerless
