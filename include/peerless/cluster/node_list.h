// Slurm's short form of a list of nodes, as in SLURM_STEP_NODELIST: "node[01-03,7],x5" is node01, node02, node03, node7
// and x5. No call of scontrol, which containers lack.
//
// List      names, separated by commas
// Brackets  stand anywhere in a name, also several times (the last varies fastest) and before its end:
//           "rack[1-2]n[01-04]-ib". They hold numbers and ranges, separated by commas
// Ranges    keep the leading zeros of their first number: 08-10 is 08, 09, 10
// Limits    4096 nodes (no more processes train together), with names of 253 characters (as in DNS): a hostile list
//           cannot exhaust the memory
// Errors    config  "WHERE: ...": the list is malformed, or beyond the limits
// Source    Slurm, hostlist_create in src/common/hostlist.c
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace peerless {

// The names of all nodes, in the order of the list.
std::vector<std::string> expand_node_list(std::string_view list, std::string_view where);

}  // namespace peerless
