#include "peerless/data/prepare.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>

#include "peerless/base/error.h"
#include "peerless/base/log.h"
#include "peerless/base/random.h"
#include "peerless/base/utf8.h"
#include "peerless/data/token_shard.h"
#include "src/data/dataset_file.h"
#include "src/data/ordered_work.h"

namespace peerless {
namespace {

using Path = std::filesystem::path;

constexpr std::uint64_t kUnderWay = 64 << 20;  // bytes of text
constexpr std::uint64_t kBatch = 1 << 18;      // likewise: one item of work
constexpr std::size_t kNamed = 5;              // documents left out that are named

enum class Fate { train, val, empty, invalid };

struct Encoded {
  Fate fate;
  std::vector<TokenId> tokens = {};
  std::uint64_t raw_bytes = 0;
  std::string where = {};  // of an invalid document
};

// The text's digest decides, so that equal texts meet the same fate.
bool for_validation(std::string_view text, const PrepareOptions& options) {
  if (options.val.empty()) return false;
  const auto hash = mix(mix(static_cast<std::uint64_t>(options.seed), "validation"), digest(text).low);
  return static_cast<double>(hash >> 11) * 0x1p-53 < options.val_fraction;
}

Encoded encode(RawDocument document, const Tokenizer& tokenizer, const PrepareOptions& options) {
  if (const auto at = find_invalid_utf8(document.bytes); at != std::string_view::npos) {
    return {.fate = Fate::invalid, .where = concat(document.where(), ": byte ", at)};
  }
  const auto text = text_of(std::move(document), options.sources.field);
  if (text.empty()) return {.fate = Fate::empty};
  auto tokens = tokenizer.encode(text);
  if (tokenizer.bos()) tokens.insert(tokens.begin(), *tokenizer.bos());
  if (tokenizer.eos()) tokens.push_back(*tokenizer.eos());
  if (tokens.empty()) return {.fate = Fate::empty};  // a lossy tokenizer may drop all of it
  return {for_validation(text, options) ? Fate::val : Fate::train, std::move(tokens), text.size()};
}

// Fills a folder under a temporary name with shards; commit() gives it its own.
class SetWriter {
 public:
  SetWriter(Files& files, Path folder, const TokenizerInfo& tokenizer, std::int64_t shard_tokens)
      : files_(files),
        folder_(folder.has_filename() ? std::move(folder) : folder.parent_path()),  // "a/b/" means "a/b"
        temporary_(folder_.parent_path() / concat(".", folder_.filename(), ".partial")),
        tokenizer_(tokenizer),
        shard_tokens_(static_cast<std::uint64_t>(shard_tokens)) {
    if (exists(files_, folder_)) {
      throw Error(ExitCode::output, folder_, ": already there; remove it, or name another folder");
    }
    if (folder_.has_parent_path()) make_folders(files_, folder_.parent_path());
    remove_tree(files_, temporary_);
    files_.make_folder(temporary_);
  }

  ~SetWriter() {
    try {
      shard_.reset();
      remove_tree(files_, temporary_);
    } catch (const std::exception&) {  // the next attempt removes it
    }
  }

  void add(const Encoded& document) {
    if (shard_ && shard_->tokens() + document.tokens.size() > shard_tokens_) finish_shard();
    if (!shard_) {
      std::array<char, 16> name;
      std::snprintf(name.data(), name.size(), "%05zu.tok", dataset_.shards.size());
      name_ = name.data();
      shard_.emplace(files_, temporary_ / name_, tokenizer_);
    }
    shard_->add(document.tokens, document.raw_bytes);
    auto& facts = dataset_.shards[name_];
    facts.tokens += document.tokens.size();
    facts.documents += 1;
    facts.raw_bytes += document.raw_bytes;
  }

  bool empty() const { return dataset_.shards.empty(); }

  // Everything but the name is final and durable.
  void finish(std::map<std::string, std::string> facts) {
    if (shard_) finish_shard();
    dataset_.facts = std::move(facts);
    write_dataset(files_, temporary_, dataset_);
    files_.sync_folder(temporary_);
  }

  void commit() {
    files_.rename(temporary_, folder_);
    files_.sync_folder(folder_.has_parent_path() ? folder_.parent_path() : ".");
  }

  PreparedSet summary() const {
    PreparedSet sum{.shards = static_cast<std::int64_t>(dataset_.shards.size())};
    for (const auto& [name, shard] : dataset_.shards) {
      sum.documents += static_cast<std::int64_t>(shard.documents);
      sum.tokens += static_cast<std::int64_t>(shard.tokens);
      sum.raw_bytes += static_cast<std::int64_t>(shard.raw_bytes);
    }
    return sum;
  }

 private:
  void finish_shard() {
    dataset_.shards[name_].digest = shard_->finish();
    shard_.reset();
  }

  Files& files_;
  Path folder_, temporary_;
  TokenizerInfo tokenizer_;
  std::uint64_t shard_tokens_;
  std::optional<TokenShardWriter> shard_;
  std::string name_;  // of that shard
  Dataset dataset_;
};

// A line in the log every ten seconds: a large corpus takes hours.
class Progress {
 public:
  void add(const std::vector<Encoded>& documents) {
    documents_ += documents.size();
    for (const auto& document : documents) bytes_ += static_cast<double>(document.raw_bytes);
    const auto now = Clock::now();
    if (now - logged_ < std::chrono::seconds(10)) return;
    logged_ = now;
    const double seconds = std::chrono::duration<double>(now - started_).count();
    log::info("prepared ", human_bytes(bytes_), " in ", documents_, " documents, ", human_bytes(bytes_ / seconds),
              "/s");
  }

 private:
  using Clock = std::chrono::steady_clock;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point logged_ = started_;
  std::uint64_t documents_ = 0;
  double bytes_ = 0;
};

// Documents in batches, so that small ones do not cost a thread's waking each.
std::vector<RawDocument> next_batch(DocumentReader& reader, std::uint64_t& bytes) {
  std::vector<RawDocument> batch;
  for (bytes = 0; bytes < kBatch;) {
    auto document = reader.next();
    if (!document) break;
    bytes += document->bytes.size() + sizeof(RawDocument);
    batch.push_back(std::move(*document));
  }
  return batch;
}

}  // namespace

PrepareReport prepare(Files& files, const Tokenizer& tokenizer, const PrepareOptions& options) {
  DocumentReader reader(options.sources);
  SetWriter train(files, options.train, info_of(tokenizer), options.shard_tokens);
  std::optional<SetWriter> val;
  if (!options.val.empty()) val.emplace(files, options.val, info_of(tokenizer), options.shard_tokens);

  Progress progress;
  PrepareReport report;
  const auto write = [&](const Encoded& document) {
    switch (document.fate) {
      case Fate::train:
        return train.add(document);
      case Fate::val:
        return val->add(document);
      case Fate::empty:
        report.empty += 1;
        return;
      case Fate::invalid:
        report.invalid += 1;
        if (report.first_invalid.size() < kNamed) report.first_invalid.push_back(document.where);
    }
  };
  using Batch = std::vector<RawDocument>;
  OrderedWork<Batch, std::vector<Encoded>> work(
      options.threads, kUnderWay,
      [&](Batch batch) {
        std::vector<Encoded> encoded;
        for (auto& document : batch) encoded.push_back(encode(std::move(document), tokenizer, options));
        return encoded;
      },
      [&](const std::vector<Encoded>& encoded) {
        for (const auto& document : encoded) write(document);
        progress.add(encoded);
      });
  std::uint64_t bytes = 0;
  for (auto batch = next_batch(reader, bytes); !batch.empty(); batch = next_batch(reader, bytes)) {
    work.add(std::move(batch), bytes);
  }
  work.finish();

  if (train.empty()) {
    throw Error(ExitCode::data, "no documents to train on; left out: ", report.empty, " empty, ", report.invalid,
                " not UTF-8; for validation: ", val ? val->summary().documents : 0);
  }
  if (val && val->empty()) {
    throw Error(ExitCode::data, "none of ", train.summary().documents, " documents fell to validation, a fraction of ",
                options.val_fraction, "; take a larger one");
  }
  std::map<std::string, std::string> facts = {{"tokenizer", tokenizer.kind()},
                                              {"vocab_size", std::to_string(tokenizer.vocab_size())},
                                              {"tokenizer_digest", tokenizer.digest().hex()},
                                              {"split_seed", std::to_string(options.seed)},
                                              {"val_fraction", val ? shortest(options.val_fraction) : "0"}};
  facts["part"] = "val";
  if (val) val->finish(facts);
  facts["part"] = "train";
  train.finish(facts);
  if (val) val->commit();
  train.commit();
  report.train = train.summary();
  if (val) report.val = val->summary();
  return report;
}

}  // namespace peerless
