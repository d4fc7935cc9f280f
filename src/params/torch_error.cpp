#include "peerless/params/torch_error.h"

#include <string_view>

namespace peerless {

Error to_error(const c10::Error& error) {
  const std::string_view message = error.what_without_backtrace();
  const bool memory = dynamic_cast<const c10::OutOfMemoryError*>(&error) ||
                      message.find("can't allocate memory") != std::string_view::npos;
  return memory ? Error(ExitCode::config, "not enough memory for this model and its batches: ", message)
                : Error(ExitCode::internal, message);
}

}  // namespace peerless
