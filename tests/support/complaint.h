// What a piece of code complains about: its message and exit code, compared word for word.
#pragma once

#include <ostream>
#include <string>

#include "peerless/base/error.h"

namespace peerless::test {

struct Complaint {
  ExitCode code;
  std::string text;
  bool operator==(const Complaint&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Complaint& complaint) {
  return out << name(complaint.code) << ": " << complaint.text;
}

// The Error that `f` throws; {ok, ""} when it throws none.
template <class F>
Complaint complaint(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {ExitCode::ok, ""};
}

}  // namespace peerless::test
