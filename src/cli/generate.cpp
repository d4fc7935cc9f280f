#include "peerless/generate/generate.h"

#include "peerless/cli/verbs.h"
#include "peerless/train/trained_model.h"
#include "src/cli/json.h"

namespace peerless::cli {
namespace {

struct Options {
  std::string checkpoint;
  std::vector<std::string> overrides;
  bool allow_nonfinite = false;
  std::string prompt;
  std::int64_t max_tokens = 100;
  bool greedy = false;
  Sampling sampling{.temperature = 0.8};
  bool json = false;
};

void print_continuation(const Options& options) {
  const TrainedModel trained =
      open_trained_model(disk(), options.checkpoint, options.overrides,
                         {"device", "train.precision", "train.threads", "tokenizer"}, options.allow_nonfinite);
  const Tokenizer& tokenizer = *trained.tokenizer;
  const auto prompt = encode_prompt(tokenizer, options.prompt);
  if (prompt.empty()) throw Error(ExitCode::usage, "--prompt: is empty, and the tokenizer has no bos to start from");
  Sampling sampling = options.sampling;
  sampling.vocab_size = tokenizer.vocab_size();
  if (options.greedy) sampling.temperature = 0;
  if (options.json) {
    const auto made =
        generate(*trained.model, prompt, options.max_tokens, sampling, tokenizer.eos(), [](TokenId) { return true; });
    return print(Json{{"prompt", options.prompt}, {"text", tokenizer.decode(made)}, {"tokens", made}});
  }
  std::cout << options.prompt;
  generate(*trained.model, prompt, options.max_tokens, sampling, tokenizer.eos(), [&](TokenId token) {
    std::cout << tokenizer.bytes(token) << std::flush;
    return std::cout.good();
  });
  std::cout << std::endl;
}

}  // namespace

void add_generate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto* verb = app.add_subcommand("generate", "continue a prompt");
  verb->add_option("--checkpoint", options->checkpoint, "a checkpoint, or a run for its newest intact one")->required();
  verb->add_option("overrides", options->overrides,
                   "key.path=value over the checkpoint's config: device, train.threads, ...");
  verb->add_flag("--allow-nonfinite", options->allow_nonfinite, "also with weights that are NaN or infinite");
  verb->add_option("--prompt", options->prompt, "text to continue");
  verb->add_option("--max-tokens", options->max_tokens, "tokens to make at most")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  auto* greedy = verb->add_flag("--greedy", options->greedy, "always the most likely token");
  verb->add_option("--temperature", options->sampling.temperature, "logits are divided by it")
      ->check(CLI::PositiveNumber)
      ->excludes(greedy)
      ->capture_default_str();
  verb->add_option("--top-k", options->sampling.top_k, "only the k most likely tokens; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->excludes(greedy);
  verb->add_option("--top-p", options->sampling.top_p, "only the most likely tokens whose probabilities sum to p")
      ->check(CLI::Range(0.0, 1.0))
      ->excludes(greedy);
  verb->add_option("--seed", options->sampling.seed, "of the draws; the same seed gives the same text")
      ->excludes(greedy);
  verb->add_flag("--json", options->json, "one JSON object on one line: prompt, text, tokens");
  verb->callback([options] { print_continuation(*options); });
}

}  // namespace peerless::cli
