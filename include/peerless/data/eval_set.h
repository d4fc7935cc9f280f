// A validation set as batches that score whole documents: each token after the bos, and the eos, exactly once.
//
// Windows   A document is cut into windows of at most seq_len targets that do not overlap; each is read with nothing
//           before its first input. Windows go into batches of `batch` rows, the longest first, so that little is
//           padding: a batch is as wide as its longest row, shorter rows end in mask 0.
// Bits      bits per byte = summed loss over all batches / (ln 2 * raw_bytes())
// Limit     With max_batches > 0, only the first documents of a fixed random order (no run's seed is in it) are scored:
//           as many as fit into max_batches batches whole, and one at least. All numbers are those of these documents.
// Errors    config  another tokenizer than the run's
//           data    a tokenizer without bos: nothing would predict a document's first token; a document that does not
//                   begin with it; as TokenShard
// Threads   batch() is safe from many.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "peerless/data/batch.h"
#include "peerless/data/data_config.h"
#include "peerless/data/token_source.h"

namespace peerless {

class EvalSet {
 public:
  EvalSet(const ValSetConfig& config, const TokenizerInfo& tokenizer, std::int64_t seq_len, std::int64_t batch,
          std::int64_t max_batches = 0, const Files& files = disk());

  const std::string& name() const { return name_; }
  std::int64_t documents() const { return documents_; }  // that are scored
  std::int64_t targets() const { return targets_; }      // unmasked, in all batches
  std::int64_t raw_bytes() const { return raw_bytes_; }  // of these documents' texts

  Digest digest() const { return source_.digest(); }  // of its shards

  std::int64_t batches() const;
  Batch batch(std::int64_t index) const;

 private:
  struct Window {
    std::uint64_t first_token;
    std::uint64_t targets;
    bool begins_document;
  };
  void add_document(const TokenSource::Document& document);
  void check_begin(std::uint64_t at, std::int64_t token) const;

  std::string name_;
  TokenSource source_;
  std::int64_t seq_len_, batch_;
  std::int64_t documents_ = 0, targets_ = 0, raw_bytes_ = 0;
  std::vector<Window> windows_;
};

}  // namespace peerless
