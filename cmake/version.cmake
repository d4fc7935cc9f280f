# peerless_version: `std::string_view` constants of peerless/version.h. Written at build time and only when they differ,
# so that a commit rebuilds the files that show the version and no others.
add_custom_target(peerless_version_header
  COMMAND ${CMAKE_COMMAND} -D version=${PROJECT_VERSION} -D source=${CMAKE_SOURCE_DIR}
    -D output=${CMAKE_BINARY_DIR}/generated/peerless/version.h -P ${CMAKE_CURRENT_LIST_DIR}/write_version.cmake
  BYPRODUCTS ${CMAKE_BINARY_DIR}/generated/peerless/version.h
  COMMENT "" VERBATIM)
add_library(peerless_version INTERFACE)
target_include_directories(peerless_version INTERFACE ${CMAKE_BINARY_DIR}/generated)
add_dependencies(peerless_version peerless_version_header)
