#include "peerless/data/prepare.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "peerless/base/error.h"
#include "peerless/base/log.h"
#include "peerless/base/random.h"
#include "peerless/base/utf8.h"
#include "peerless/base/version.h"
#include "src/data/ordered_work.h"
#include "src/data/set_writer.h"

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
  auto tokens = encode_document(tokenizer, text);
  const std::size_t frame = (tokenizer.bos() ? 1 : 0) + (tokenizer.eos() ? 1 : 0);
  if (tokens.size() == frame) return {.fate = Fate::empty};  // a lossy tokenizer may drop all of it
  return {for_validation(text, options) ? Fate::val : Fate::train, std::move(tokens), text.size()};
}

bool holds(const Path& outer, const Path& inner) {
  const auto [end, ignored] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return end == outer.end();
}

// One rename would carry the other folder away.
void expect_apart(const Path& train, const Path& val) {
  const auto plain = [](const Path& path) { return without_slash(std::filesystem::absolute(path).lexically_normal()); };
  if (holds(plain(train), plain(val)) || holds(plain(val), plain(train))) {
    throw Error(ExitCode::output, train, " and ", val,
                ": one is, or lies in, the other; name two folders side by side");
  }
}

// Where documents go: two folders, and the report.
class Sets {
 public:
  Sets(Files& files, const Tokenizer& tokenizer, const PrepareOptions& options)
      : train_(files, options.train, info_of(tokenizer), options.shard_tokens, "; remove it, or name another folder") {
    if (options.val.empty()) return;
    val_.emplace(files, options.val, info_of(tokenizer), options.shard_tokens,
                 concat(", but ", options.train,
                        " is not: did an earlier run end between the two? Remove it, or name another folder"));
  }

  void add(const Encoded& document) {
    switch (document.fate) {
      case Fate::train:
        return train_.add(document.tokens, document.raw_bytes);
      case Fate::val:
        return val_->add(document.tokens, document.raw_bytes);
      case Fate::empty:
        report_.empty += 1;
        return;
      case Fate::invalid:
        report_.invalid += 1;
        if (report_.first_invalid.size() < kNamed) report_.first_invalid.push_back(document.where);
    }
  }

  void expect_documents(double val_fraction) const {
    const auto for_training = train_.summary().documents;
    const auto for_val = val_ ? val_->summary().documents : 0;
    const std::string_view advice = for_training + for_val != 1 ? ""
                                                                : "; a .txt file is one document: name more files, or "
                                                                  "put a document on each line of a .jsonl";
    if (for_training == 0) {
      throw Error(ExitCode::data, "no documents to train on; left out: ", report_.empty, " empty, ", report_.invalid,
                  " not UTF-8; for validation: ", for_val, advice);
    }
    if (val_ && for_val == 0) {
      throw Error(ExitCode::data, "none of ", for_training, " documents fell to validation, a fraction of ",
                  val_fraction, "; take a larger one", advice);
    }
  }

  PrepareReport commit(std::map<std::string, std::string> facts) {
    facts["part"] = "val";
    if (val_) val_->finish(facts);
    facts["part"] = "train";
    train_.finish(std::move(facts));
    if (val_) val_->commit();
    train_.commit();
    report_.train = train_.summary();
    if (val_) report_.val = val_->summary();
    return std::move(report_);
  }

 private:
  PrepareReport report_;
  SetWriter train_;
  std::optional<SetWriter> val_;
};

// A line in the log every ten seconds: a large corpus takes hours.
class Progress {
 public:
  explicit Progress(const DocumentReader& reader) : reader_(reader) {}

  void add(const std::vector<Encoded>& documents) {
    documents_ += documents.size();
    const auto now = Clock::now();
    if (now - logged_ < std::chrono::seconds(10)) return;
    logged_ = now;
    const auto bytes = static_cast<double>(reader_.bytes_read());
    const auto total = static_cast<double>(reader_.total_bytes());
    const double seconds = std::chrono::duration<double>(now - started_).count();
    log::info("prepared ", std::lround(100 * bytes / std::max(total, 1.0)), "% of ", human_bytes(total), ", ",
              documents_, " documents, ", human_bytes(bytes / seconds), "/s");
  }

 private:
  using Clock = std::chrono::steady_clock;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point logged_ = started_;
  const DocumentReader& reader_;
  std::uint64_t documents_ = 0;
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

void encode_all(DocumentReader& reader, const Tokenizer& tokenizer, const PrepareOptions& options, Sets& sets) {
  using Batch = std::vector<RawDocument>;
  Progress progress(reader);
  OrderedWork<Batch, std::vector<Encoded>> work(
      options.threads, kUnderWay,
      [&](Batch batch) {
        std::vector<Encoded> encoded;
        for (auto& document : batch) encoded.push_back(encode(std::move(document), tokenizer, options));
        return encoded;
      },
      [&](const std::vector<Encoded>& encoded) {
        for (const auto& document : encoded) sets.add(document);
        progress.add(encoded);
      });
  std::uint64_t bytes = 0;
  for (auto batch = next_batch(reader, bytes); !batch.empty(); batch = next_batch(reader, bytes)) {
    work.add(std::move(batch), bytes);
  }
  work.finish();
}

// How the data were made, for people.
std::map<std::string, std::string> facts_of(const Tokenizer& tokenizer, const PrepareOptions& options) {
  return {{"made_by", program_version()},
          {"inputs", join(options.sources.inputs, ", ")},
          {"suffixes", join(options.sources.suffixes, ", ")},
          {"field", options.sources.field},
          {"tokenizer", tokenizer.kind()},
          {"vocab_size", std::to_string(tokenizer.vocab_size())},
          {"tokenizer_digest", tokenizer.digest().hex()},
          {"shard_tokens", std::to_string(options.shard_tokens)},
          {"split_seed", std::to_string(options.seed)},
          {"val_fraction", options.val.empty() ? "0" : shortest(options.val_fraction)}};
}

}  // namespace

PrepareReport prepare(Files& files, const Tokenizer& tokenizer, const PrepareOptions& options) {
  if (!options.val.empty()) expect_apart(options.train, options.val);
  DocumentReader reader(options.sources);
  Sets sets(files, tokenizer, options);
  encode_all(reader, tokenizer, options, sets);
  sets.expect_documents(options.val_fraction);
  auto report = sets.commit(facts_of(tokenizer, options));
  report.passed_over = reader.passed_over();
  return report;
}

}  // namespace peerless
