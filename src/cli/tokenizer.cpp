#include <charconv>
#include <iostream>
#include <iterator>
#include <sstream>

#include "peerless/base/utf8.h"
#include "peerless/cli/verbs.h"
#include "peerless/text/sentencepiece.h"
#include "src/cli/json.h"
#include "src/cli/text_options.h"

namespace peerless::cli {
namespace {

using Algorithm = SentencePieceTraining::Algorithm;

struct Options {
  TextSources sources;
  SentencePieceTraining training;
  std::string algorithm = "bpe";
  std::string out;
  std::string tokenizer;
  std::vector<std::string> arguments;
  bool all_tokens = false;
  bool json = false;
};

std::string standard_input() { return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()}; }

// ---- train ---------------------------------------------------------------------------------------------------------

void print_report(const Options& options, const Tokenizer& tokenizer, const TrainingReport& report,
                  std::int64_t passed_over) {
  const auto& training = options.training;
  if (options.json) {
    return print({{"model", options.out},
                  {"kind", tokenizer.kind()},
                  {"vocab_size", tokenizer.vocab_size()},
                  {"digest", tokenizer.digest().hex()},
                  {"threads", training.threads},
                  {"seed", training.seed},
                  {"documents", report.documents},
                  {"bytes", report.bytes},
                  {"sampled_bytes", report.sampled_bytes},
                  {"passed_over_files", passed_over},
                  {"invalid_documents", report.invalid_documents},
                  {"cuts", report.cuts},
                  {"reserved_characters", report.reserved}});
  }
  std::cout << options.out << ": " << tokenizer.kind() << ", " << tokenizer.vocab_size() << " tokens, trained on "
            << human_bytes(static_cast<double>(report.sampled_bytes)) << " of "
            << human_bytes(static_cast<double>(report.bytes)) << " in " << count_of(report.documents, "document")
            << ", seed " << training.seed << ", " << count_of(training.threads, "thread") << "\n";
  print_passed_over(passed_over);
  if (report.invalid_documents > 0) {
    std::cout << "left out: " << report.invalid_documents << " documents that are not UTF-8\n";
  }
  if (report.cuts > 0) std::cout << "cut: " << report.cuts << " places of these, in lines longer than 4 KiB\n";
  if (report.reserved > 0) {
    std::cout << "left out: " << report.reserved << " characters that training cannot see (U+2581, U+2585, NUL); the "
              << "tokenizer keeps them, in bytes\n";
  }
}

void train(const Options& options) {
  DocumentReader reader(options.sources);
  expect_new(disk(), options.out);
  const auto trained = train_sentencepiece(options.training, [&]() -> std::optional<std::string> {
    auto document = reader.next();
    if (!document) return std::nullopt;
    const bool is_text = find_invalid_utf8(document->bytes) == std::string_view::npos;
    return is_text ? text_of(std::move(*document), options.sources.field) : std::move(document->bytes);
  });
  const auto tokenizer = parse_sentencepiece(trained.bytes, options.out);
  write_atomically(disk(), options.out, trained.bytes);
  print_report(options, *tokenizer, trained.report, reader.passed_over());
}

// ---- encode, decode, info ------------------------------------------------------------------------------------------

void encode(const Options& options) {
  const auto tokenizer = open_tokenizer(options.tokenizer);
  const auto text = options.arguments.empty() ? standard_input() : join(options.arguments, " ");
  const auto ids = tokenizer->encode(text);
  if (options.json) return print(ids);
  for (std::size_t i = 0; i < ids.size(); ++i) std::cout << (i == 0 ? "" : " ") << ids[i];
  std::cout << "\n";
}

void decode(const Options& options) {
  const auto tokenizer = open_tokenizer(options.tokenizer);
  std::istringstream words(options.arguments.empty() ? standard_input() : join(options.arguments, " "));
  std::vector<TokenId> ids;
  for (std::string word; words >> word;) {
    TokenId id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size()) {
      throw Error(ExitCode::data, "expected token ids, numbers with spaces between them, got \"", printable(word), '"');
    }
    ids.push_back(id);
  }
  std::cout << tokenizer->decode(ids);
}

void print_info_as_json(const Tokenizer& tokenizer, bool all_tokens) {
  Json all{{"kind", tokenizer.kind()},           {"vocab_size", tokenizer.vocab_size()},
           {"bos", or_null(tokenizer.bos())},    {"eos", or_null(tokenizer.eos())},
           {"digest", tokenizer.digest().hex()}, {"lossless", tokenizer.losses().empty()},
           {"losses", tokenizer.losses()}};
  for (TokenId id = 0; all_tokens && id < tokenizer.vocab_size(); ++id) all["tokens"].push_back(tokenizer.name(id));
  print(all);
}

void info(const Options& options) {
  const auto tokenizer = open_tokenizer(options.tokenizer);
  if (options.json) return print_info_as_json(*tokenizer, options.all_tokens);
  const auto losses = tokenizer->losses();
  std::cout << "kind        " << tokenizer->kind() << "\nvocab_size  " << tokenizer->vocab_size() << "\nbos         "
            << id_or_none(tokenizer->bos()) << "\neos         " << id_or_none(tokenizer->eos()) << "\ndigest      "
            << tokenizer->digest().hex() << "\nlossless    "
            << (losses.empty() ? "yes: decode(encode(text)) == text" : concat("no: ", losses)) << "\n";
  for (TokenId id = 0; options.all_tokens && id < tokenizer->vocab_size(); ++id) {
    std::cout << id << "\t" << printable(tokenizer->name(id)) << "\n";
  }
}

void add_train_verb(CLI::App& group, const std::shared_ptr<Options>& options) {
  auto* verb = group.add_subcommand("train", "train a SentencePiece model that loses nothing");
  add_sources(*verb, options->sources);
  auto& training = options->training;
  verb->add_option("--out", options->out, "file to write")->required();
  verb->add_option("--type", options->algorithm, "how pieces are found")
      ->check(CLI::IsMember({"bpe", "unigram"}))
      ->capture_default_str();
  verb->add_option("--vocab-size", training.vocab_size, "tokens, with 256 bytes, newline, tab and 3 control tokens")
      ->check(CLI::Range(262, 1 << 20))
      ->capture_default_str();
  verb->add_option("--character-coverage", training.character_coverage,
                   "share of the text's characters that get pieces of their own; the rest is spelled in bytes")
      ->check(CLI::Range(0.98, 1.0))
      ->capture_default_str();
  verb->add_option("--max-bytes", training.max_bytes, "of text to train on: a random sample, when there is more")
      ->check(CLI::Range(std::int64_t{64} << 10, std::int64_t{1} << 31))
      ->capture_default_str();
  verb->add_option("--seed", training.seed, "of that sample")->capture_default_str();
  add_threads(*verb, training.threads);
  verb->add_flag("--json", options->json, "one JSON object on one line");
  verb->callback([options] {
    options->training.algorithm = options->algorithm == "bpe" ? Algorithm::bpe : Algorithm::unigram;
    train(*options);
  });
}

}  // namespace

void add_tokenizer(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto* group = app.add_subcommand("tokenizer", "train and use tokenizers");
  group->require_subcommand(1);
  add_train_verb(*group, options);

  auto* encoding = group->add_subcommand("encode", "text -> token ids");
  add_tokenizer_option(*encoding, options->tokenizer)->required();
  encoding->add_option("text", options->arguments, "default: standard input");
  encoding->add_flag("--json", options->json, "a JSON array");
  encoding->callback([options] { encode(*options); });

  auto* decoding = group->add_subcommand("decode", "token ids -> text");
  add_tokenizer_option(*decoding, options->tokenizer)->required();
  decoding->add_option("ids", options->arguments, "default: standard input");
  decoding->callback([options] { decode(*options); });

  auto* facts = group->add_subcommand("info", "kind, vocabulary, digest, and what a round trip would lose");
  add_tokenizer_option(*facts, options->tokenizer)->required();
  facts->add_flag("--tokens", options->all_tokens, "list every token: id and name");
  facts->add_flag("--json", options->json, "one JSON object on one line");
  facts->callback([options] { info(*options); });
}

}  // namespace peerless::cli
