// SLURM_STEP_NODELIST from anywhere.
#include "peerless/cluster/node_list.h"

#include "tests/fuzz/targets.h"

namespace peerless::fuzz {

bool node_list(Bytes bytes) {
  std::vector<std::string> nodes;
  if (!accepts(ExitCode::config, [&] { nodes = expand_node_list(text_of(bytes), "SLURM_STEP_NODELIST"); }))
    return false;
  PEERLESS_CHECK(!nodes.empty() && nodes.size() <= 4096, nodes.size(), " nodes");
  const bool few = nodes.size() <= 1000;  // of many, a look at the first: inputs a second count too
  for (const auto& node : std::span(nodes).first(few ? nodes.size() : 1)) {
    PEERLESS_CHECK(!node.empty() && node.size() <= 253, "a name of ", node.size(), " bytes");
    PEERLESS_CHECK(node.find_first_of("[],\n /") == std::string::npos, node);
  }
  if (!few) return true;
  // A plain list of the names means the same.
  PEERLESS_CHECK(expand_node_list(join(nodes, ","), "again") == nodes, "other nodes");
  return true;
}

}  // namespace peerless::fuzz
