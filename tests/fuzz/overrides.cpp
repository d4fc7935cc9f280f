// The overrides of a command line, a line each, over a config that sets lists and kinds.
#include "tests/fuzz/config.h"
#include "tests/fuzz/targets.h"

namespace peerless::fuzz {
namespace {

constexpr std::string_view kFile = R"(
data: {train: [{path: a, weight: 2}, {path: b}], val: [{path: c, name: d}]}
tokenizer: {kind: sentencepiece, model: m}
model: {ffw: {kind: peer, num_keys: 4}, layers: [{at: [1, 2-3], ffw: {kind: dense}}]}
)";

}  // namespace

bool overrides(Bytes bytes) {
  config::Tree tree = config::parse_yaml(kFile, "run.yaml");
  FuzzedConfig found;
  const auto read = [&] {
    config::apply_overrides(tree, split(text_of(bytes), '\n'));
    found = config::read<FuzzedConfig>(tree);
  };
  if (!accepts(ExitCode::config, read)) return false;
  check_dump(found, tree);
  return true;
}

}  // namespace peerless::fuzz
