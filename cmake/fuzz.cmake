# The fuzz targets, tests/fuzz/TARGET.cpp. fuzz_tests replays their corpora, in every build. Where the code tells libFuzzer
# what it covers (the preset `fuzz`), fuzz_TARGET is a program of its own; `fuzz_targets` builds them all. For some,
# tests/fuzz/mutators knows how to change an input so that it keeps its form.

set(fuzz_targets journal manifest messages node_list overrides round_trip safetensors sentencepiece shard yaml)
list(TRANSFORM fuzz_targets PREPEND ${CMAKE_SOURCE_DIR}/tests/fuzz/ OUTPUT_VARIABLE fuzz_sources)
list(TRANSFORM fuzz_sources APPEND .cpp)

add_library(fuzz_target OBJECT ${CMAKE_SOURCE_DIR}/tests/fuzz/target.cpp ${fuzz_sources})
add_executable(fuzz_tests ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_test.cpp)
foreach(target fuzz_target fuzz_tests)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE peerless_cluster peerless_options)
endforeach()
target_link_libraries(fuzz_tests PRIVATE fuzz_target GTest::gmock_main)
add_test(NAME fuzz COMMAND fuzz_tests WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})

if(PEERLESS_SANITIZE MATCHES fuzzer)
  add_custom_target(fuzz_targets)
  foreach(target IN LISTS fuzz_targets)
    add_executable(fuzz_${target} EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/fuzz/driver.cpp)
    target_include_directories(fuzz_${target} PRIVATE ${CMAKE_SOURCE_DIR})
    target_compile_definitions(fuzz_${target} PRIVATE PEERLESS_FUZZ_TARGET=${target})
    target_link_libraries(fuzz_${target} PRIVATE fuzz_target peerless_cluster peerless_options -fsanitize=fuzzer)
    add_dependencies(fuzz_targets fuzz_${target})
  endforeach()
  foreach(target manifest safetensors)
    set(mutators ${CMAKE_SOURCE_DIR}/tests/fuzz/mutators)
    target_sources(fuzz_${target} PRIVATE ${mutators}/json.cpp ${mutators}/${target}.cpp)
  endforeach()
endif()
