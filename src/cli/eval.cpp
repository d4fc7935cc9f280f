#include "peerless/cli/verbs.h"
#include "peerless/eval/evaluate.h"
#include "peerless/eval/loads.h"
#include "peerless/eval/score_text.h"
#include "peerless/train/trained_model.h"
#include "src/cli/json.h"

namespace peerless::cli {
namespace {

const std::vector<std::string> kKeysOfSets{"data.val",  "data.seq_len",           "eval.max_batches",
                                           "device",    "train.micro_batch_size", "train.precision",
                                           "tokenizer", "train.threads"};
const std::vector<std::string> kKeysOfAText{"data.seq_len", "device", "tokenizer", "train.precision", "train.threads"};

struct Options {
  std::string checkpoint;
  std::vector<std::string> overrides;
  bool allow_nonfinite = false;
  bool json = false;
  std::string text_file;
  std::string per_token_file;
  std::string routing_folder;
};

void print_head(const TrainedModel& trained) {
  std::cout << trained.path.string() << ", step " << trained.info.step << std::endl;
}

// <folder>/<set>.json and <set>.svg: what the figures of the blocks sum up. Whether there is anything to write, and
// room for it, is known before the model runs.
class RoutingFiles {
 public:
  RoutingFiles(const std::string& folder, const ModelConfig& model, const std::vector<EvalSet>& sets)
      : folder_(folder) {
    if (folder.empty()) return;
    if (model.cost(/*seq_len=*/1, /*vocab=*/1).routing_flops == 0)
      throw Error(ExitCode::config, "--routing: no layer of this model routes tokens; evaluate it without");
    for (const auto& set : sets)
      for (const char* suffix : {".json", ".svg"}) expect_new(disk(), file(set, suffix));
  }

  void write(const EvalSet& set, const EvalReport& report) const {
    if (folder_.empty()) return;
    const auto loads = loads_of(report.stats);
    write_atomically(disk(), file(set, ".json"), loads_json(loads).dump() + "\n");
    write_atomically(disk(), file(set, ".svg"), loads_svg(set.name(), loads));
  }

 private:
  std::filesystem::path file(const EvalSet& set, const char* suffix) const { return folder_ / (set.name() + suffix); }

  std::filesystem::path folder_;
};

void evaluate_sets(const TrainedModel& trained, const Options& options) {
  const bool as_json = options.json;
  const RunConfig& config = trained.config;
  if (config.data.val.empty())
    throw Error(ExitCode::config, "data.val: is empty; name a validation set: data.val='[{path: FOLDER, name: NAME}]'");
  const auto sets = open_eval_sets(config, *trained.tokenizer, disk());  // all, before the first takes an hour
  const RoutingFiles routing(options.routing_folder, config.model, sets);
  if (!as_json) print_head(trained);
  Json all;
  for (const auto& set : sets) {
    const EvalReport report = evaluate(*trained.model, set);
    if (!as_json) std::cout << set.name() << ": " << report.text() << std::endl;
    all[set.name()] = report.json();
    routing.write(set, report);
  }
  if (as_json) print(Json{{"checkpoint", trained.path.string()}, {"step", trained.info.step}, {"eval", all}});
}

std::vector<TokenId> scored_document(const Tokenizer& tokenizer, const std::string& text, const std::string& file) {
  if (text.empty()) throw Error(ExitCode::data, printable(file), ": is empty; there is nothing to score");
  if (!tokenizer.bos()) throw Error(ExitCode::data, "the tokenizer has no bos: nothing would predict the first token");
  return encode_document(tokenizer, text);
}

// The lines of --per-token. That the file can be made is known before the model runs.
class TokenLines {
 public:
  explicit TokenLines(const std::string& file) {
    if (file.empty()) return;
    expect_new(disk(), file);
    output_.emplace(disk(), file);
  }

  void add(std::size_t position, TokenId id, float log_prob) {
    constexpr std::size_t kAtOnce = 1 << 16;
    if (!output_) return;
    lines_ += Json{{"position", position}, {"id", id}, {"log_prob", log_prob}}.dump() + "\n";
    if (lines_.size() >= kAtOnce) flush();
  }

  void finish() {
    if (!output_) return;
    flush();
    output_->commit();
  }

 private:
  void flush() {
    output_->write(lines_);
    lines_.clear();
  }

  std::optional<AtomicFile> output_;  // nothing: nobody asked
  std::string lines_;
};

void score_file(const TrainedModel& trained, const Options& options) {
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 30;
  const auto text = read_text(disk(), options.text_file, kLimit);
  const auto tokens = scored_document(*trained.tokenizer, text, options.text_file);
  TokenLines lines(options.per_token_file);
  EvalReport report;
  report.documents = 1;
  report.targets = std::ssize(tokens) - 1;
  report.raw_bytes = std::ssize(text);
  score_tokens(*trained.model, tokens, [&](std::size_t position, float log_prob) {
    lines.add(position, tokens[position], log_prob);
    report.summed_loss -= log_prob;
  });
  lines.finish();
  if (options.json) return print(report.json());
  print_head(trained);
  std::cout << options.text_file << ": " << report.text() << std::endl;
}

}  // namespace

void add_eval(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto* verb =
      app.add_subcommand("eval", "loss, perplexity and bits per byte of a checkpoint, on validation sets or a text");
  verb->add_option("--checkpoint", options->checkpoint, "a checkpoint, or a run for its newest intact one")->required();
  verb->add_option("overrides", options->overrides,
                   "key.path=value over the checkpoint's config: data.val, eval.max_batches, ...");
  verb->add_flag("--allow-nonfinite", options->allow_nonfinite, "also with weights that are NaN or infinite");
  verb->add_flag("--json", options->json, "one JSON object on one line");
  auto* text = verb->add_option("--text", options->text_file, "score this text instead, of any length");
  verb->add_option("--routing", options->routing_folder,
                   "write how tokens spread over experts to <folder>/<set>.json, and a plot of it to <set>.svg")
      ->excludes(text);
  verb->add_option("--per-token", options->per_token_file,
                   "with --text: write position, id and log-probability of each token, as JSONL")
      ->needs(text);
  verb->callback([options] {
    const bool sets = options->text_file.empty();
    const TrainedModel trained = open_trained_model(disk(), options->checkpoint, options->overrides,
                                                    sets ? kKeysOfSets : kKeysOfAText, options->allow_nonfinite);
    sets ? evaluate_sets(trained, *options) : score_file(trained, *options);
  });
}

}  // namespace peerless::cli
