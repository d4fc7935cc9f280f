// The options that the verbs which read text share.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "peerless/data/sources.h"
#include "peerless/text/tokenizer.h"

namespace peerless::cli {

inline void add_sources(CLI::App& verb, TextSources& sources) {
  verb.add_option("inputs", sources.inputs,
                  "text: files (.jsonl: one document per line, others: one per file), folders, globs")
      ->required();
  verb.add_option("--suffix", sources.suffixes, "files to take from folders: .h,.hpp,.cuh")
      ->delimiter(',')
      ->capture_default_str();
  verb.add_option("--field", sources.field, "field of a .jsonl line that holds the text")->capture_default_str();
}

inline void add_threads(CLI::App& verb, std::int64_t& threads) {
  threads = std::max(1u, std::thread::hardware_concurrency());
  verb.add_option("--threads", threads, "default: one per core")->check(CLI::Range(1, 1024));
}

inline CLI::Option* add_tokenizer_option(CLI::App& verb, std::string& tokenizer) {
  return verb.add_option("--tokenizer", tokenizer, "a SentencePiece model, or `byte`");
}

inline std::unique_ptr<Tokenizer> open_tokenizer(const std::string& name) {
  if (name == ByteConfig::kind) return peerless::open_tokenizer(ByteConfig{});
  return peerless::open_tokenizer(SentencePieceConfig{name});
}

}  // namespace peerless::cli
