// What training needs of the processes that train together. The rest of the code sees no backend.
//
// Samples are dealt to ranks by the sample order, not by the communicator; see data/order.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace peerless {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual std::int64_t rank() const = 0;
  virtual std::int64_t world_size() const = 0;

  virtual void sum(const at::Tensor& tensor) = 0;  // in place, over all processes, in rank order
  virtual bool any(bool here) = 0;                 // true on all when true on one: how all agree to stop
};

// One process that trains alone.
std::unique_ptr<Communicator> single_process();

}  // namespace peerless
