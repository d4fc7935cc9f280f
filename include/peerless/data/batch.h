// What the model is shown at once: rows of token ids in host memory, row-major [batch, seq_len].
#pragma once

#include <cstdint>
#include <vector>

namespace peerless {

struct Batch {
  std::int64_t batch = 0;
  std::int64_t seq_len = 0;
  std::vector<std::int64_t> inputs = {};
  std::vector<std::int64_t> targets = {};  // the token after each input
  std::vector<std::uint8_t> mask = {};     // 1 where the target counts, else 0
  std::int64_t unmasked = 0;               // ones in the mask
  std::uint64_t first_sample = 0;          // position of row 0 in the sample order; row i is first_sample + i
  bool stands_in = false;                  // for one that did not come: nothing of its step may count
};

}  // namespace peerless
