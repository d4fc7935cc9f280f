# The libraries of others, each as a target whose headers count as SYSTEM.
# <room>_libraries: those that one room alone sees.

find_package(Threads REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
if(PEERLESS_TESTS)
  find_package(GTest REQUIRED)
endif()
find_library(XXHASH_LIBRARY xxhash REQUIRED)

# cached(VARIABLE NAME): the folder that scripts/setup.sh filled from scripts/requirements/NAME.lock.
function(cached variable name)
  set(cache $ENV{XDG_CACHE_HOME})
  if(NOT cache)
    set(cache $ENV{HOME}/.cache)
  endif()
  set(folder ${cache}/peerless)
  if(NOT "$ENV{PEERLESS_CACHE}" STREQUAL "")
    set(folder $ENV{PEERLESS_CACHE})
  endif()
  set(lock ${CMAKE_SOURCE_DIR}/scripts/requirements/${name}.lock)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${lock})
  file(SHA256 ${lock} hash)
  string(SUBSTRING ${hash} 0 12 hash)
  set(folder ${folder}/${name}-${hash})
  if(NOT EXISTS ${folder} AND NOT "${ARGN}" STREQUAL OPTIONAL)
    message(FATAL_ERROR "${folder} is not there. Run scripts/setup.sh, which fills it.")
  endif()
  set(${variable} ${folder} PARENT_SCOPE)
endfunction()

# ---- SentencePiece: static, and its protobuf and absl stay hidden from those inside LibTorch ------------------------

cached(sentencepiece_folder sentencepiece)
add_library(sentencepiece INTERFACE IMPORTED)
target_include_directories(sentencepiece INTERFACE ${sentencepiece_folder}/include)
target_link_libraries(sentencepiece INTERFACE ${sentencepiece_folder}/lib/libsentencepiece_train.a
  ${sentencepiece_folder}/lib/libsentencepiece.a Threads::Threads)
# By name: ALL would hide the static runtime of Clang's sanitizers too.
target_link_options(sentencepiece INTERFACE -Wl,--exclude-libs,libsentencepiece_train.a:libsentencepiece.a)

# ---- LibTorch: find_package(Torch) of the wheel insists on a CUDA toolkit, a target of our own does not -------------

if(PEERLESS_TORCH)
  set(libtorch ${PEERLESS_LIBTORCH})
  if(NOT libtorch)
    cached(libtorch cuda OPTIONAL)
    if(PEERLESS_CUDA AND NOT EXISTS ${libtorch})
      message(WARNING "This build links, but lacks libraries of NVIDIA's to run. Run scripts/setup.sh --cuda.")
    endif()
    if(NOT PEERLESS_CUDA OR NOT EXISTS ${libtorch})
      cached(libtorch runtime)
    endif()
    set(libtorch ${libtorch}/torch)
  endif()
  if(NOT EXISTS ${libtorch}/lib/libtorch_cpu.so)
    message(FATAL_ERROR "PEERLESS_LIBTORCH=${libtorch} holds no lib/libtorch_cpu.so")
  endif()
  add_library(torch::torch INTERFACE IMPORTED)
  target_include_directories(torch::torch INTERFACE ${libtorch}/include ${libtorch}/include/torch/csrc/api/include)
  target_compile_definitions(torch::torch INTERFACE USE_DISTRIBUTED USE_C10D_GLOO FMT_HEADER_ONLY=1)
  target_link_libraries(torch::torch INTERFACE ${libtorch}/lib/libtorch_cpu.so ${libtorch}/lib/libc10.so)

  # at::parallel_for is parallel only in files compiled with -fopenmp. A LibTorch that brings its libgomp gets just that
  # one: two OpenMP runtimes in a process fight over the cores.
  file(GLOB libgomp ${libtorch}/lib/libgomp*.so*)
  target_compile_options(torch::torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
  target_link_libraries(torch::torch INTERFACE $<IF:$<BOOL:${libgomp}>,${libgomp},-fopenmp>)

  # What LibTorch itself needs lies beside it (the wheels) or with the CUDA toolkit; it finds the former by itself.
  file(GLOB beside ${libtorch}/../nvidia/*/lib)
  foreach(folder IN LISTS beside)
    target_link_options(torch::torch INTERFACE -Wl,-rpath-link,${folder})
  endforeach()

  # CUDA: only the rooms that say USE_C10D_NCCL or launch kernels see it, so the others compile as without.
  if(PEERLESS_CUDA)
    find_package(CUDAToolkit 12 REQUIRED)
    add_library(torch::cuda INTERFACE IMPORTED)
    target_compile_definitions(torch::cuda INTERFACE USE_C10D_NCCL PEERLESS_CUDA)
    target_include_directories(torch::cuda INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
    target_link_libraries(torch::cuda INTERFACE -Wl,--no-as-needed ${libtorch}/lib/libtorch_cuda.so -Wl,--as-needed
      ${libtorch}/lib/libc10_cuda.so CUDA::cudart)
    target_link_options(torch::cuda INTERFACE -Wl,-rpath-link,${CUDAToolkit_LIBRARY_DIR}
      -Wl,-rpath,${CUDAToolkit_LIBRARY_DIR})
    set(dist_libraries torch::cuda)
    set(ops_libraries torch::cuda)
    file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.cu)
    if(cuda_sources)
      if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
        set(CMAKE_CUDA_ARCHITECTURES 80 90)
      endif()
      enable_language(CUDA)
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # CMake 3.25 does not know that nvcc can
    endif()
  endif()
endif()

set(base_libraries spdlog::spdlog ${XXHASH_LIBRARY} Threads::Threads peerless_version)
set(config_libraries yaml-cpp nlohmann_json::nlohmann_json)
set(text_libraries sentencepiece)
set(data_libraries nlohmann_json::nlohmann_json Threads::Threads)
set(checkpoint_libraries nlohmann_json::nlohmann_json)
set(cluster_libraries OpenSSL::Crypto nlohmann_json::nlohmann_json Threads::Threads)
set(train_libraries peerless_version)
set(cli_libraries CLI11::CLI11 peerless_version)
