// What tests/peers asks our code for numbers: both files are safetensors files.
//
//   peers_probe work EXAMPLE RESULTS    trains a worked example (tests/support/worked_example.h)
//   peers_probe copy FILE COPY          reads a file with our reader, writes it with our writer
#include <iostream>

#include "tests/support/worked_example.h"

int main(int argc, char** argv) {
  using namespace peerless;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    PEERLESS_CHECK(arguments.size() == 3 && (arguments[0] == "work" || arguments[0] == "copy"), join(arguments, " "));
    const auto file = test::read_tensors(arguments[1]);
    test::write_tensors(arguments[2], arguments[0] == "copy" ? file : test::TensorFile{test::work(file), {}});
    return 0;
  } catch (const Error& error) {
    std::cerr << error.what() << std::endl;
    return static_cast<int>(error.code());
  }
}
