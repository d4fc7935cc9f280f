#include <iostream>

#include "peerless/cli/verbs.h"
#include "peerless/data/prepare.h"
#include "peerless/data/token_source.h"
#include "src/cli/json.h"
#include "src/cli/text_options.h"

namespace peerless::cli {
namespace {

struct Options {
  PrepareOptions prepare;
  std::string tokenizer;
  std::string path;
  std::int64_t tokens = 32;
  std::int64_t threads = 1;
  bool json = false;
};

// ---- prepare -------------------------------------------------------------------------------------------------------

Json json_of(const std::filesystem::path& path, const PreparedSet& set) {
  return {{"path", path.string()},
          {"documents", set.documents},
          {"tokens", set.tokens},
          {"raw_bytes", set.raw_bytes},
          {"shards", set.shards}};
}

void show(const std::filesystem::path& path, const PreparedSet& set) {
  std::cout << path.string() << ": " << set.documents << " documents, " << set.tokens << " tokens, "
            << human_bytes(static_cast<double>(set.raw_bytes)) << " of text, " << count_of(set.shards, "shard") << "\n";
}

void run_prepare(const Options& options) {
  const auto& prepare_options = options.prepare;
  const auto tokenizer = open_tokenizer(options.tokenizer);
  const auto report = prepare(disk(), *tokenizer, prepare_options);
  const bool split = !prepare_options.val.empty();
  if (options.json) {
    Json all{{"train", json_of(prepare_options.train, report.train)}};
    if (split) all["val"] = json_of(prepare_options.val, report.val);
    all["passed_over_files"] = report.passed_over;
    all["empty_documents"] = report.empty;
    all["invalid_documents"] = report.invalid;
    all["first_invalid"] = report.first_invalid;
    return print(all);
  }
  show(prepare_options.train, report.train);
  if (split) show(prepare_options.val, report.val);
  print_passed_over(report.passed_over);
  if (report.empty > 0) std::cout << "left out: " << report.empty << " empty documents\n";
  if (report.invalid > 0) std::cout << "left out: " << report.invalid << " documents that are not UTF-8:\n";
  for (const auto& where : report.first_invalid) std::cout << "  " << printable(where) << "\n";
  if (report.invalid > std::ssize(report.first_invalid)) std::cout << "  ...\n";
}

// ---- inspect, verify -----------------------------------------------------------------------------------------------

std::vector<TokenId> first_tokens(const TokenSource& source, std::int64_t count) {
  std::vector<std::int64_t> tokens(std::min(source.tokens(), static_cast<std::uint64_t>(count)));
  source.copy(0, tokens);
  return {tokens.begin(), tokens.end()};
}

void print_as_json(const TokenSource& source, const std::vector<TokenId>& tokens,
                   const std::optional<std::string>& text) {
  const auto& made_with = source.tokenizer();
  Json all{{"path", source.path().string()},
           {"documents", source.documents()},
           {"tokens", source.tokens()},
           {"raw_bytes", source.raw_bytes()},
           {"digest", source.digest().hex()},
           {"tokenizer", made_with.digest.hex()},
           {"vocab_size", made_with.vocab_size},
           {"bos", or_null(made_with.bos)},
           {"eos", or_null(made_with.eos)},
           {"shards", Json::array()},
           {"first_tokens", tokens}};
  for (const auto& shard : source.shards()) {
    all["shards"].push_back({{"path", shard->path().string()},
                             {"tokens", shard->tokens()},
                             {"documents", shard->documents()},
                             {"token_width", shard->token_width()},
                             {"digest", shard->digest().hex()}});
  }
  if (text) all["text"] = *text;
  print(all);
}

void show(const TokenSource& source) {
  const auto& made_with = source.tokenizer();
  std::cout << "tokens      " << source.tokens() << "\ndocuments   " << source.documents() << "\ntext        "
            << human_bytes(static_cast<double>(source.raw_bytes())) << "\ntokenizer   " << made_with.digest.hex()
            << ", " << made_with.vocab_size << " tokens, bos " << id_or_none(made_with.bos) << ", eos "
            << id_or_none(made_with.eos) << "\ndigest      " << source.digest().hex() << "\n";
  for (const auto& shard : source.shards()) {
    std::cout << "shard       " << shard->path().string() << ": " << shard->tokens() << " tokens of "
              << shard->token_width() << " bytes, " << shard->documents() << " documents\n";
  }
}

void inspect(const Options& options) {
  const TokenSource source(options.path);
  const auto tokens = first_tokens(source, options.tokens);
  std::optional<std::string> text;
  if (!options.tokenizer.empty()) {
    const auto tokenizer = open_tokenizer(options.tokenizer);
    source.expect(info_of(*tokenizer));
    text = tokenizer->decode(tokens);
  }
  if (options.json) return print_as_json(source, tokens, text);
  show(source);
  std::cout << "begins      ";
  for (const auto id : tokens) std::cout << id << " ";
  std::cout << "\n" << text.value_or("") << (!text || text->empty() || text->back() == '\n' ? "" : "\n");
}

void verify(const Options& options) {
  const auto bad = faults(options.path, options.threads);
  if (!bad.empty()) {
    if (options.json) print({{"path", options.path}, {"good", false}, {"faults", bad}});
    throw Error(ExitCode::data, join(bad, "\n"));
  }
  const TokenSource source(options.path);
  if (options.json) return print({{"path", options.path}, {"good", true}, {"tokens", source.tokens()}});
  std::cout << options.path << ": good: " << source.tokens() << " tokens in "
            << count_of(std::ssize(source.shards()), "shard")
            << ", all checksums, ids and document borders are right\n";
}

void add_prepare_verb(CLI::App& group, const std::shared_ptr<Options>& options) {
  auto& prepare_options = options->prepare;
  auto* verb = group.add_subcommand("prepare", "text -> token shards for training and validation");
  add_sources(*verb, prepare_options.sources);
  add_tokenizer_option(*verb, options->tokenizer)->required();
  verb->add_option("--out", prepare_options.train, "folder to make, for training")->required();
  auto* val = verb->add_option("--val-out", prepare_options.val, "folder to make, for validation");
  verb->add_option("--val-fraction", prepare_options.val_fraction,
                   "share of the documents that go there; equal texts go to one side")
      ->check(CLI::Range(1e-9, 1.0))
      ->needs(val)
      ->capture_default_str();
  verb->add_option("--seed", prepare_options.seed, "of that choice")->needs(val)->capture_default_str();
  verb->add_option("--shard-tokens", prepare_options.shard_tokens, "tokens in a shard at most")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_threads(*verb, prepare_options.threads);
  verb->add_flag("--json", options->json, "one JSON object on one line");
  verb->callback([options] { run_prepare(*options); });
}

}  // namespace

void add_data(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto* group = app.add_subcommand("data", "prepare and check token shards");
  group->require_subcommand(1);
  add_prepare_verb(*group, options);

  auto* looking = group->add_subcommand("inspect", "what token shards hold and how they begin");
  looking->add_option("path", options->path, "a folder of shards, or one *.tok file")->required();
  add_tokenizer_option(*looking, options->tokenizer);
  looking->add_option("--tokens", options->tokens, "how many of the first tokens to show")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  looking->add_flag("--json", options->json, "one JSON object on one line");
  looking->callback([options] { inspect(*options); });

  auto* checking =
      group->add_subcommand("verify",
                            "read every byte: all checksums, token ids, document borders; exit 65 and a line per "
                            "bad shard when one is wrong");
  checking->add_option("path", options->path, "a folder of shards, or one *.tok file")->required();
  add_threads(*checking, options->threads);
  checking->add_flag("--json", options->json, "one JSON object on one line");
  checking->callback([options] { verify(*options); });
}

}  // namespace peerless::cli
