#include "peerless/cluster/fatal.h"

#include <ctime>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

namespace peerless {

int report_fatal(ExitCode code, const std::string& what, const Environment& environment) {
  auto lines = split(what, '\n');
  for (auto& line : lines) line = printable(line);
  const std::string text = concat(name(code), ": ", join(lines, "\n"));
  std::cerr << concat("peerless: ", text, "\n") << std::flush;
  if (const auto path = environment("TORCHELASTIC_ERROR_FILE")) {
    const nlohmann::ordered_json extra{{"py_callstack", ""}, {"timestamp", std::to_string(std::time(nullptr))}};
    std::ofstream file(*path);
    file << nlohmann::ordered_json{{"message", {{"message", text}, {"extraInfo", extra}}}}.dump() << std::flush;
    if (!file) std::cerr << concat("peerless: cannot write TORCHELASTIC_ERROR_FILE=", printable(*path), "\n");
  }
  return static_cast<int>(code);
}

}  // namespace peerless
