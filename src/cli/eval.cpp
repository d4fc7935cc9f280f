#include <fstream>
#include <iostream>

#include "peerless/cli/verbs.h"
#include "peerless/eval/evaluate.h"
#include "peerless/eval/score_text.h"
#include "peerless/train/trained_model.h"

namespace peerless::cli {
namespace {

struct Options {
  std::string checkpoint;
  std::vector<std::string> overrides;
  bool json = false;
  std::string text_file;
  std::string per_token_file;
};

void evaluate_sets(const TrainedModel& trained, bool as_json) {
  const RunConfig& config = trained.config;
  if (config.data.val.empty())
    throw Error(ExitCode::config, "data.val: is empty; name a validation set: data.val='[{path: FOLDER, name: NAME}]'");
  nlohmann::ordered_json all;
  for (const auto& val : config.data.val) {
    const EvalSet set(val, info_of(*trained.tokenizer), config.data.seq_len, config.train.micro_batch_size,
                      config.eval.max_batches);
    const EvalReport report = evaluate(*trained.model, set);
    if (!as_json) std::cout << val.name << ": " << report.text() << std::endl;
    all[val.name] = report.json();
  }
  if (as_json) std::cout << nlohmann::ordered_json{{"step", trained.info.step}, {"eval", all}} << std::endl;
}

std::vector<TokenId> document_of(const Tokenizer& tokenizer, const std::string& text) {
  if (!tokenizer.bos()) throw Error(ExitCode::data, "the tokenizer has no bos: nothing would predict the first token");
  std::vector<TokenId> tokens{*tokenizer.bos()};
  const auto encoded = tokenizer.encode(text);
  tokens.insert(tokens.end(), encoded.begin(), encoded.end());
  if (tokenizer.eos()) tokens.push_back(*tokenizer.eos());
  return tokens;
}

void score_file(const TrainedModel& trained, const Options& options) {
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 30;
  const auto text = read_text(disk(), options.text_file, kLimit);
  const auto tokens = document_of(*trained.tokenizer, text);
  const auto scores = score_tokens(*trained.model, tokens);
  std::string lines;
  EvalReport report;
  report.documents = 1;
  report.targets = std::ssize(scores);
  report.raw_bytes = std::ssize(text);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    lines += nlohmann::ordered_json{{"position", i + 1}, {"id", tokens[i + 1]}, {"log_prob", scores[i]}}.dump() + "\n";
    report.summed_loss -= scores[i];
  }
  if (!options.per_token_file.empty()) write_atomically(disk(), options.per_token_file, lines);
  if (options.json)
    std::cout << report.json() << std::endl;
  else
    std::cout << options.text_file << ": " << report.text() << std::endl;
}

}  // namespace

void add_eval(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto* verb =
      app.add_subcommand("eval", "loss, perplexity and bits per byte of a checkpoint, on validation sets or a text");
  verb->add_option("--checkpoint", options->checkpoint, "a checkpoint, or a run for its newest good one")->required();
  verb->add_option("overrides", options->overrides,
                   "key.path=value over the checkpoint's config: data.val, eval.max_batches, ...");
  verb->add_flag("--json", options->json, "one JSON object on one line");
  auto* text = verb->add_option("--text", options->text_file, "score this text instead, of any length");
  verb->add_option("--per-token", options->per_token_file,
                   "with --text: write position, id and log-probability of each token, as JSONL")
      ->needs(text);
  verb->callback([options] {
    const TrainedModel trained = open_trained_model(disk(), options->checkpoint, options->overrides);
    options->text_file.empty() ? evaluate_sets(trained, options->json) : score_file(trained, *options);
  });
}

}  // namespace peerless::cli
