// Errors of LibTorch and of the standard library as ours.
#pragma once

#include <exception>

#include "peerless/base/error.h"

namespace peerless {

// ExitCode::config where memory is short, io where the system gives no more threads, else internal. LibTorch's come
// without the frames of the stack.
Error to_error(const std::exception& error);

}  // namespace peerless
