// The config that the targets `yaml` and `overrides` read: sections of the rooms that know no torch, and one with all
// kinds of fields.
#pragma once

#include "peerless/checkpoint/config.h"
#include "peerless/config/config.h"
#include "peerless/data/data_config.h"
#include "peerless/text/tokenizer.h"
#include "tests/config/example.h"
#include "tests/fuzz/target.h"

namespace peerless::fuzz {

struct FuzzedConfig {
  DataConfig data;
  TokenizerConfig tokenizer;
  CheckpointConfig checkpoint;
  example::ModelConfig model;
  example::OptimConfig optim;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("data", c.data, Any{}, "what is read");
    visit("tokenizer", c.tokenizer, Any{}, "what made it");
    visit("checkpoint", c.checkpoint, Any{}, "what is kept");
    visit("model", c.model, Any{}, "lists, kinds, layer sets");
    visit("optim", c.optim, Any{}, "numbers and durations");
  }
  bool operator==(const FuzzedConfig&) const = default;
};

// Of a config that was accepted: it survives its dump, and can be shown.
inline void check_dump(const FuzzedConfig& found, const config::Tree& tree) {
  PEERLESS_CHECK(config::parse<FuzzedConfig>(config::dump(found), "dump") == found, config::dump(found));
  PEERLESS_CHECK(!config::show(found, config::Origins(tree)).empty(), "shows nothing");
}

}  // namespace peerless::fuzz
