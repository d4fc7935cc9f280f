#include "peerless/cluster/fatal.h"

#include <ctime>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "peerless/base/host.h"

namespace peerless {

namespace {

std::string in_quotes(const std::string& text) {
  std::string all = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') all += '\\';
    all += c;
  }
  return all + '"';
}

std::string place() {
  const std::int64_t rank = fatal_place().rank, step = fatal_place().step;
  if (rank < 0) return "";
  return concat(" rank=", rank, " host=", printable(host_name()), step < 0 ? "" : concat(" step=", step));
}

}  // namespace

FatalPlace& fatal_place() {
  static FatalPlace place;
  return place;
}

int report_fatal(ExitCode code, const std::string& what, const Environment& environment) {
  auto lines = split(what, '\n');
  for (auto& line : lines) line = printable(line);
  const std::string text = concat(name(code), ": ", join(lines, "\n"));
  lines.front() = concat("FATAL ", name(code), place(), " what=", in_quotes(lines.front()));
  std::cerr << join(lines, "\n") + "\n" << std::flush;
  if (const auto path = environment("TORCHELASTIC_ERROR_FILE")) {
    // Without a "py_callstack", which torchrun would print in place of the message.
    const nlohmann::ordered_json extra{{"timestamp", std::to_string(std::time(nullptr))}};
    std::ofstream file(*path);
    file << nlohmann::ordered_json{{"message", {{"message", text}, {"extraInfo", extra}}}}.dump() << std::flush;
    if (!file) std::cerr << concat("peerless: cannot write TORCHELASTIC_ERROR_FILE=", printable(*path), "\n");
  }
  return static_cast<int>(code);
}

}  // namespace peerless
