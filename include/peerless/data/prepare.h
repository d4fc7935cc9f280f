// Raw text -> folders of token shards, one for training and one for validation.
//
// Documents  bos, the tokens of the text, eos: as far as the tokenizer has them.
// Split      A document is for validation if the hash of its text and the seed falls into `val_fraction`. So documents
//            of equal text are never on both sides, and a document's side does not depend on the others.
// Shards     00000.tok, 00001.tok, ... of at most `shard_tokens` tokens (more only where one document has more), then
//            dataset.json. The same sources, tokenizer and options give the same bytes, whatever the number of threads.
// Atomic     Both folders are filled under other names and appear whole and durable by a rename, the training set last.
// Left out   Empty documents, and those that are not UTF-8: counted, and the first ones named.
// Memory     Bounded: at most 64 MiB of text, or one document, is under way. Tokens come on top, 4 bytes each: as much
//            again as the text for usual SentencePiece models, 4 times the text for `byte`. And 16 bytes for each
//            document of the shard that is being written.
// One at a time  A lock beside each folder keeps a second process from writing it.
// Errors     output  a folder to be written is there, or another process writes it; one folder lies in the other
//            data    no documents, none for validation, a broken line of a .jsonl; and the errors of sources.h
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/data/sources.h"
#include "peerless/text/tokenizer.h"

namespace peerless {

struct PrepareOptions {
  TextSources sources;
  std::filesystem::path train;     // a folder to be made
  std::filesystem::path val = {};  // likewise; empty: everything is for training
  double val_fraction = 0.01;
  std::int64_t seed = 1;
  std::int64_t shard_tokens = 1 << 27;
  std::int64_t threads = 1;
};

struct PreparedSet {
  std::int64_t shards = 0, documents = 0, tokens = 0, raw_bytes = 0;
};

struct PrepareReport {
  PreparedSet train, val;
  std::int64_t passed_over = 0;            // files in folders that have none of the suffixes
  std::int64_t empty = 0;                  // documents left out
  std::int64_t invalid = 0;                // likewise: not UTF-8
  std::vector<std::string> first_invalid;  // where the first of them are, with the offset of the first wrong byte
};

// Reads from disk, writes to `files`.
PrepareReport prepare(Files& files, const Tokenizer& tokenizer, const PrepareOptions& options);

}  // namespace peerless
