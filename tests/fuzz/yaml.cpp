// A config file from anywhere.
#include "tests/fuzz/config.h"
#include "tests/fuzz/targets.h"

namespace peerless::fuzz {

bool yaml(Bytes bytes) {
  config::Tree tree;
  FuzzedConfig found;
  const auto read = [&] {
    tree = config::parse_yaml(text_of(bytes), "run.yaml");
    found = config::read<FuzzedConfig>(tree);
  };
  if (!accepts(ExitCode::config, read)) return false;
  check_dump(found, tree);
  return true;
}

}  // namespace peerless::fuzz
