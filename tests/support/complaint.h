// What a piece of code complains about: its message and exit code, compared word for word.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>

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

// Its message alone, where all of them have the same code; "" when it throws none.
template <class F>
std::string complaint(ExitCode code, F&& f) {
  const Complaint found = complaint(std::forward<F>(f));
  EXPECT_TRUE(found.code == code || found.code == ExitCode::ok) << found;
  return found.text;
}

}  // namespace peerless::test
