# Run by cmake/version.cmake: cmake -D version=… -D source=… -D output=… -P write_version.cmake
execute_process(COMMAND git -C ${source} describe --always --dirty --abbrev=12 --exclude=*
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${output} CONTENT [[// Written by cmake/write_version.cmake.
#pragma once

#include <string_view>

namespace peerless {

inline constexpr std::string_view version = "@version@";
inline constexpr std::string_view commit = "@commit@";

}  // namespace peerless
]] @ONLY)
