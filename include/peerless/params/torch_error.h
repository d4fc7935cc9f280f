// Errors of LibTorch as ours.
#pragma once

#include <c10/util/Exception.h>

#include "peerless/base/error.h"

namespace peerless {

// Its message without the frames of the stack. ExitCode::config where memory is short, else internal.
Error to_error(const c10::Error& error);

}  // namespace peerless
