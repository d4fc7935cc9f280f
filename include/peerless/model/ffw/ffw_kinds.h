// The one list of feed-forward blocks.
//
// A new block is a header, a source, a test, an example config, and its config type in the variant below. YAML reading,
// validation, docs/config.md, the factory and the contract tests all walk this list.
#pragma once

#include <memory>
#include <variant>

#include "peerless/model/ffw/dense.h"
#include "peerless/model/ffw/hash_moe.h"
#include "peerless/model/ffw/moe.h"
#include "peerless/model/ffw/peer.h"
#include "peerless/model/ffw/pkm.h"

namespace peerless {

using FfwConfig = std::variant<DenseConfig, MoeConfig, HashMoeConfig, PkmConfig, PeerConfig>;

inline std::shared_ptr<Ffw> build_ffw(const Build& build, const FfwConfig& config) {
  return std::visit(
      [&]<class C>(const C& c) -> std::shared_ptr<Ffw> { return std::make_shared<typename C::Block>(build, c); },
      config);
}

}  // namespace peerless
