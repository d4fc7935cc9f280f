// What the verbs that read text or tokens share.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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
      ->allow_extra_args(false)  // what follows is an input
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

inline std::string id_or_none(std::optional<TokenId> id) { return id ? std::to_string(*id) : "none"; }

inline std::string count_of(std::int64_t count, std::string_view what) {
  return concat(count, " ", what, count == 1 ? "" : "s");
}

inline void print_passed_over(std::int64_t files) {
  if (files > 0) std::cout << "passed over: " << count_of(files, "file") << " of other suffixes (--suffix)\n";
}

}  // namespace peerless::cli
