// Our side of scripts/bench:
//
//   peerless_bench WORK SHAPE THREADS
//
// builds the work and says "ready FLOPS STATE"; then does it once for every line it reads, and answers with the
// seconds, a line of JSON. peers.py speaks the same way.
#include <iostream>
#include <map>

#include "peerless/base/error.h"
#include "peerless/train/trained_model.h"
#include "tests/bench/bench.h"

int main(int argc, char** argv) {
  using namespace peerless;
  const std::map<std::string, std::unique_ptr<bench::Work> (*)(const std::string&)> works{
      {"block_step", bench::block_step}, {"model_step", bench::model_step}, {"matmul", bench::matmul}};
  try {
    PEERLESS_CHECK(argc == 4 && works.contains(argv[1]), "expected WORK SHAPE THREADS");
    prepare_process(std::stoll(argv[3]));
    const auto work = works.at(argv[1])(argv[2]);
    std::cout << "ready " << work->flops() << " " << work->state_bytes() << std::endl;
    for (std::string line; std::getline(std::cin, line);) std::cout << work->run() << std::endl;
    return 0;
  } catch (const Error& error) {
    std::cerr << error.what() << std::endl;
    return static_cast<int>(error.code());
  }
}
