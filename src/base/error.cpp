#include "peerless/base/error.h"

namespace peerless {

const char* name(ExitCode code) {
  switch (code) {
    case ExitCode::ok:
      return "OK";
    case ExitCode::different:
      return "DIFFERENT";
    case ExitCode::usage:
      return "USAGE";
    case ExitCode::data:
      return "DATA";
    case ExitCode::no_input:
      return "NOINPUT";
    case ExitCode::internal:
      return "INTERNAL";
    case ExitCode::output:
      return "OUTPUT";
    case ExitCode::io:
      return "IO";
    case ExitCode::preempted:
      return "PREEMPTED";
    case ExitCode::peer:
      return "PEER";
    case ExitCode::config:
      return "CONFIG";
    case ExitCode::diverged:
      return "DIVERGED";
    case ExitCode::no_progress:
      return "NOPROGRESS";
  }
  return "UNKNOWN";
}

void broken_invariant(const char* file, int line, const char* condition, const std::string& what) {
  const std::string detail = what.empty() ? "" : ": " + what;
  throw BrokenInvariant(concat(file, ":", line, ": broken invariant: ", condition, detail));
}

}  // namespace peerless
