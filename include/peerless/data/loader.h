// Training samples, micro-batch by micro-batch, prefetched by a thread of its own.
//
// Sample   seq_len + 1 consecutive tokens of a source's stream (token_source.h): sample k covers the tokens
//          [k * seq_len, (k+1) * seq_len], so each token but the first is a target once; the last (tokens - 1) mod
//          seq_len targets of the stream belong to none. A sample may reach over documents.
// Mask     A document's bos is never a target; everything else is.
// Order    order.h. The whole state is the number of samples that steps before took: start at any, with any number of
//          processes.
// Errors   config    another tokenizer than the run's; a world that the micro-batches cannot be dealt to
//          data      fewer samples than one global batch; as TokenShard. What the thread meets, next() throws.
//          no_input  a source is absent
// Threads  next() belongs to one thread. Destroying a loader is fast at any time, also while the disk hangs: its thread
//          is left to itself then, and keeps the data alive.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "peerless/base/hash.h"
#include "peerless/data/batch.h"
#include "peerless/data/data_config.h"
#include "peerless/data/order.h"
#include "peerless/data/token_source.h"

namespace peerless {

// The training sources of a config as one ordered list of samples.
class TrainingData {
 public:
  TrainingData(const DataConfig& config, const TokenizerInfo& tokenizer, std::int64_t seed, std::int64_t global_batch,
               const Files& files = disk());

  std::int64_t seq_len() const { return seq_len_; }
  std::int64_t global_batch() const { return global_batch_; }
  std::uint64_t tokens() const;   // of all sources
  std::uint64_t samples() const;  // of one epoch of each source

  // The sample at a position of the order, and those at [first, first + count).
  SampleId sample(std::uint64_t position) const { return (*order_)(position); }
  Batch batch(std::uint64_t first, std::int64_t count) const;

  // Targets that count in the step whose first sample is at `first`, over all processes: by what its loss is divided.
  // Reads no tokens.
  std::int64_t unmasked_in_step(std::uint64_t first) const;

  // Of all that content and order depend on but the seed: contents, weights, seq_len; not the paths.
  Digest fingerprint() const;
  // The same for people, source by source: "train[0]: PATH: weight 1, 123 tokens in 2 shards, digest ...".
  std::vector<std::string> description() const;

 private:
  std::int64_t unmasked(const SampleId& id) const;
  void add_row(const SampleId& id, Batch& batch) const;

  DataConfig config_;
  std::int64_t seq_len_, global_batch_;
  std::vector<std::unique_ptr<TokenSource>> sources_;
  std::unique_ptr<SampleOrder> order_;
};

class Loader {
 public:
  // From the step whose first sample is at `first`. Who waits for `late` says so.
  Loader(std::shared_ptr<const TrainingData> data, const BatchShare& share, std::uint64_t first,
         std::chrono::milliseconds late = std::chrono::seconds(10));
  ~Loader();

  // The next micro-batch of this process. Where it does not come and `stopped` is true, one without any target that
  // stands in for it.
  Batch next(const std::function<bool()>& stopped = [] { return false; });
  double wait_seconds() const;  // that next() has waited for the thread, in all

 private:
  class Prefetcher;
  std::shared_ptr<Prefetcher> prefetcher_;  // with its thread
};

}  // namespace peerless
