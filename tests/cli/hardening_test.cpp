// What cmake/toolchain.cmake asks of the linker, as the loader finds it in the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

#include "peerless/base/text.h"
#include "tests/cli/program.h"

namespace peerless {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::string readelf(const char* what) {
  const auto command = concat("readelf --wide ", what, " '", test::program().string(), "'");
  const std::unique_ptr<FILE, int (*)(FILE*)> output(popen(command.c_str(), "r"), pclose);
  std::string text;
  for (int c; (c = std::fgetc(output.get())) != EOF;) text += static_cast<char>(c);
  return text;
}

TEST(Hardening, TheProgramLiesAnywhereAndItsPointersToLibrariesAreReadOnly) {
  EXPECT_THAT(readelf("--file-header"), ContainsRegex("Type: +DYN "));
  EXPECT_THAT(readelf("--dynamic"), ContainsRegex("Flags: NOW PIE"));
  EXPECT_THAT(readelf("--segments"), HasSubstr("GNU_RELRO"));
}

TEST(Hardening, WhatIsWrittenIsNotExecuted) {
  const auto segments = readelf("--segments");
  EXPECT_THAT(segments, ContainsRegex("GNU_STACK .* RW +0"));
  EXPECT_THAT(segments, Not(HasSubstr(" RWE ")));
}

}  // namespace
}  // namespace peerless
