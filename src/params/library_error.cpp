#include "peerless/params/library_error.h"

#include <c10/util/Exception.h>

#include <new>
#include <string_view>
#include <system_error>

namespace peerless {
namespace {

Error out_of_memory(std::string_view message) {
  return Error(ExitCode::config, "not enough memory for this model and its batches: ", message);
}

}  // namespace

Error to_error(const std::exception& error) {
  if (const auto* const torch = dynamic_cast<const c10::Error*>(&error)) {
    const std::string_view message = torch->what_without_backtrace();
    const bool memory = dynamic_cast<const c10::OutOfMemoryError*>(torch) != nullptr ||
                        message.find("can't allocate memory") != std::string_view::npos;
    return memory ? out_of_memory(message) : Error(ExitCode::internal, message);
  }
  if (dynamic_cast<const std::bad_alloc*>(&error)) return out_of_memory(error.what());
  if (const auto* const system = dynamic_cast<const std::system_error*>(&error))
    if (system->code() == std::errc::resource_unavailable_try_again)
      return Error(ExitCode::io, "the system gives no more threads: ", error.what(),
                   "; see `ulimit -u` and `ulimit -v`, and the limits of the container");
  return Error(ExitCode::internal, error.what());
}

}  // namespace peerless
