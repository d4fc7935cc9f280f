#pragma once

#include <gtest/gtest.h>

#include <string>

#include "peerless/base/error.h"

namespace peerless {

// What `f` refuses with, as a config error; "" when it does not.
template <class F>
std::string complaint(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::config);
    return e.what();
  }
  return "";
}

}  // namespace peerless
