// What every operator of ours says at the beginning of its backward pass.
#pragma once

#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>

namespace peerless {

// Backward passes write through plain pointers, which autograd does not see: with create_graph, gradients of gradients
// would silently lack what flows through them.
inline void refuse_double_backward(const char* op) {
  TORCH_CHECK(!at::GradMode::is_enabled(), op, ": its gradient has no gradient (create_graph)");
}

}  // namespace peerless
