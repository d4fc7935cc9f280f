# How our own files are compiled: everything that is no dependency. One INTERFACE target, peerless_options.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release or RelWithDebInfo" FORCE)
endif()

# ccache, told how to treat a precompiled header, and to share results between clones in different folders.
find_program(CCACHE ccache)
if(CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=locale,pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endif()

# A faster linker where there is one.
find_program(MOLD mold)
find_program(LLD ld.lld)
if(MOLD)
  add_link_options(-fuse-ld=mold)
elseif(LLD)
  add_link_options(-fuse-ld=lld)
endif()

# -fno-math-errno: nothing reads it, and std::sqrt becomes one instruction, in vector code too.
set(flags -Wall -Wextra -Wshadow -fno-math-errno -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND flags -Wno-restrict)  # false alarms on `"text" + string` (GCC bug 105651)
endif()
if(PEERLESS_WERROR)
  list(APPEND flags -Werror)
endif()
add_library(peerless_options INTERFACE)
if(PEERLESS_SANITIZE)
  list(APPEND flags -fsanitize=${PEERLESS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    list(APPEND flags -Wno-maybe-uninitialized)  # its own headers set it off once they are instrumented
  endif()
  target_link_options(peerless_options INTERFACE -fsanitize=${PEERLESS_SANITIZE})
else()
  # The compiler hardening guide of OpenSSF; what it says of -D_FORTIFY_SOURCE holds only with optimisation.
  list(APPEND flags -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
    list(APPEND flags -fcf-protection)
  endif()
  target_compile_definitions(peerless_options INTERFACE _GLIBCXX_ASSERTIONS)
  target_link_options(peerless_options INTERFACE -Wl,-z,relro,-z,now)
endif()
target_compile_options(peerless_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${flags}>")
