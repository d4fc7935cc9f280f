// A config with one of everything, for the tests of this room.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "peerless/config/duration.h"
#include "peerless/config/field.h"
#include "peerless/config/layer_set.h"

namespace peerless::example {

enum class Norm { none, head, full };
constexpr std::array<std::string_view, 3> enum_names(Norm) { return {"none", "head", "full"}; }
constexpr std::string_view why_not(Norm, std::string_view word) {
  return word == "batch" ? "a batch norm is no norm of queries" : "";
}

struct DenseConfig {
  static constexpr std::string_view kind = "dense";
  std::int64_t d_ff = 64;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("d_ff", c.d_ff, MultipleOf{8} && AtLeast{8}, "inner width");
  }
  bool operator==(const DenseConfig&) const = default;
};

struct PeerConfig {
  static constexpr std::string_view kind = "peer";
  std::int64_t num_keys = 8;
  std::int64_t top_k = 4;
  Norm query_norm = Norm::none;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("num_keys", c.num_keys, AtLeast{1}, "sub-keys per half");
    visit("top_k", c.top_k, AtLeast{1}, "experts retrieved per head");
    visit("query_norm", c.query_norm, Any{}, "how queries are normalised");
  }
  void check() const {
    if (top_k > num_keys)
      throw Error(ExitCode::config, "top_k (", top_k, ") must not exceed num_keys (", num_keys, ")");
  }
  bool operator==(const PeerConfig&) const = default;
};

using FfwConfig = std::variant<DenseConfig, PeerConfig>;

struct LayerConfig {
  LayerSet at;
  FfwConfig ffw;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("at", c.at, NotEmpty{}, "the layers, from 0");
    visit("ffw", c.ffw, Any{}, "their feed-forward block");
  }
  bool operator==(const LayerConfig&) const = default;
};

struct ModelConfig {
  std::int64_t n_layers = 4;
  double rope_theta = 10000;
  std::optional<double> softcap;
  bool tie = false;
  FfwConfig ffw;
  std::vector<LayerConfig> layers;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("n_layers", c.n_layers, AtLeast{1}, "number of blocks");
    visit("rope_theta", c.rope_theta, Above{0}, "base of the rotary frequencies");
    visit("softcap", c.softcap, Above{0}, "soft cap on the logits");
    visit("tie", c.tie, Any{}, "one table for embedding and head");
    visit("ffw", c.ffw, Any{}, "the feed-forward block of every layer");
    visit("layers", c.layers, Any{}, "layers that differ");
  }
  bool operator==(const ModelConfig&) const = default;
};

struct OptimConfig {
  double lr = 1e-3;
  std::vector<double> betas = {0.9, 0.95};
  Duration warmup = Duration::of_percent(2);

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("lr", c.lr, Above{0}, "peak learning rate", Resume::with_override);
    visit("betas", c.betas, AtLeast{0} && Below{1}, "decay of the two moments");
    visit("warmup", c.warmup, Any{}, "length of the warm-up", Resume::with_override);
  }
  bool operator==(const OptimConfig&) const = default;
};

struct LogConfig {
  std::string dir = "runs";
  std::int64_t every_steps = 10;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("dir", c.dir, NotEmpty{}, "where runs are kept");
    visit("every_steps", c.every_steps, AtLeast{0}, "steps between two lines");
  }
  bool operator==(const LogConfig&) const = default;
};

struct RunConfig {
  std::int64_t seed = 1;
  std::string name = "run";
  ModelConfig model;
  OptimConfig optim;
  LogConfig log;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("seed", c.seed, AtLeast{0}, "seed of every random choice");
    visit("name", c.name, NotEmpty{}, "name of the run", Resume::free);
    visit("model", c.model, Any{}, "the transformer");
    visit("optim", c.optim, Any{}, "how parameters are updated");
    visit("log", c.log, Any{}, "what is printed", Resume::free);
  }
  bool operator==(const RunConfig&) const = default;
};

// Every field off its default.
inline RunConfig full() {
  RunConfig run;
  run.seed = 2;
  run.name = "b: \"quoted\", ü";
  run.model.n_layers = 12;
  run.model.rope_theta = 1e6;
  run.model.softcap = 1.0 / 3;
  run.model.tie = true;
  run.model.ffw = PeerConfig{.num_keys = 16, .top_k = 2, .query_norm = Norm::full};
  run.model.layers = {{.at = {{2, 2}, {5, 9}}, .ffw = DenseConfig{.d_ff = 72}}, {.at = {{0, 1}}, .ffw = PeerConfig{}}};
  run.optim = {.lr = 1e-8, .betas = {0.5}, .warmup = Duration::of_tokens(2'000'000'000)};
  run.log = {.dir = "/tmp/runs", .every_steps = 0};
  return run;
}

}  // namespace peerless::example
