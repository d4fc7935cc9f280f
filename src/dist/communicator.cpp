#include "peerless/dist/communicator.h"

namespace peerless {
namespace {

class SingleProcess final : public Communicator {
 public:
  std::int64_t rank() const override { return 0; }
  std::int64_t world_size() const override { return 1; }
  void exchange(const Messages& /*sent*/, const Messages& /*received*/) override {}
};

}  // namespace

Communicator& alone() {
  static SingleProcess process;
  return process;
}

}  // namespace peerless
