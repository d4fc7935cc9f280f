// The section `data` of a run's config.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "peerless/config/field.h"

namespace peerless {

struct TrainSourceConfig {
  std::string path;
  double weight = 1.0;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("path", c.path, NotEmpty{},
          "token shards, a folder or one *.tok file; may be moved, but the content must not change", Resume::free);
    visit("weight", c.weight, Above{0}, "share of the samples, relative to the other sources");
  }
  bool operator==(const TrainSourceConfig&) const = default;
};

struct ValSetConfig {
  std::string path;
  std::string name;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("path", c.path, NotEmpty{}, "token shards: a folder, or one *.tok file");
    visit("name", c.name, NotEmpty{}, "what its results are called in logs and metrics", Resume::free);
  }
  bool operator==(const ValSetConfig&) const = default;
};

struct DataConfig {
  std::int64_t seq_len = 1024;
  std::vector<TrainSourceConfig> train;
  std::vector<ValSetConfig> val;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("seq_len", c.seq_len, AtLeast{1} && AtMost{1 << 30}, "tokens that a sample's targets cover");
    visit("train", c.train, NotEmpty{}, "sources that samples are drawn from");
    visit("val", c.val, Any{}, "sets that evaluation scores, each by itself", Resume::free);
  }
  void check() const;  // names of validation sets differ, and can stand in a metric's name
  bool operator==(const DataConfig&) const = default;
};

}  // namespace peerless
