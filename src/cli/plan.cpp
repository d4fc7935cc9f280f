#include <cmath>
#include <cstdio>
#include <iostream>

#include "peerless/cli/verbs.h"
#include "peerless/config/config.h"
#include "peerless/train/memory_plan.h"
#include "src/cli/json.h"

namespace peerless::cli {
namespace {

struct Options {
  std::string file;
  std::vector<std::string> overrides;
  std::int64_t processes = 1;
  bool json = false;
};

// 46702792704 as "46.70 B": two decimals of thousands, millions, ...
std::string short_count(double value) {
  constexpr const char* kUnits[] = {"", " K", " M", " B", " T", " P", " E", " Z", " Y"};
  std::size_t unit = 0;
  for (; value >= 999.995 && unit + 1 < std::size(kUnits); ++unit) value /= 1000;
  char text[64];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f%s" : "%.2f%s", value, kUnits[unit]);
  return text;
}

Json json_of(const Cost& cost) {
  return {{"parameters", cost.parameters},
          {"active_parameters", cost.active_parameters},
          {"flops_per_token", cost.flops},
          {"routing_parameters", cost.routing_parameters},
          {"routing_flops_per_token", cost.routing_flops}};
}

void print_row(const std::string& name, const Cost& cost) {
  const auto or_dash = [](double value) { return value > 0 ? short_count(value) : std::string("-"); };
  std::printf("%-34s %12s %12s %12s %14s %14s\n", name.c_str(), or_dash(static_cast<double>(cost.parameters)).c_str(),
              or_dash(static_cast<double>(cost.active_parameters)).c_str(), or_dash(cost.flops).c_str(),
              or_dash(static_cast<double>(cost.routing_parameters)).c_str(), or_dash(cost.routing_flops).c_str());
}

// What does not depend on the granularity of a mixture's experts.
Cost beside_routing(const Cost& cost) {
  return {.parameters = cost.parameters - cost.routing_parameters,
          .active_parameters = cost.active_parameters - cost.routing_parameters,
          .flops = cost.flops - cost.routing_flops};
}

double total_of(const std::vector<MemoryPart>& memory) {
  double total = 0;
  for (const auto& part : memory) total += part.bytes;
  return total;
}

void print_memory(const std::vector<MemoryPart>& memory, std::int64_t processes) {
  std::string parts;
  for (const auto& part : memory) parts += concat(parts.empty() ? "" : ", ", part.name, " ", human_bytes(part.bytes));
  std::printf("memory of %s, on CPUs: %s\n  %s\n", processes == 1 ? "the process" : "each process",
              human_bytes(total_of(memory)).c_str(), parts.c_str());
}

// Without a vocabulary in the config, the tokenizer's: its file is needed for nothing else.
std::int64_t vocab_of(const RunConfig& run) {
  return run.model.vocab_size ? *run.model.vocab_size : open_tokenizer(run.tokenizer)->vocab_size();
}

void plan(const Options& options) {
  const RunConfig run = config::load<RunConfig>(disk(), options.file, options.overrides).config;
  const std::int64_t vocab = vocab_of(run);
  const auto parts = run.model.cost_parts(run.data.seq_len, vocab);
  const Cost total = run.model.cost(run.data.seq_len, vocab);
  const double tokens = static_cast<double>(run.tokens_per_step()) * static_cast<double>(run.train.max_steps);
  const double training_flops = 3 * total.flops * tokens;
  const auto memory = plan_memory(run, vocab, options.processes);
  if (options.json) {
    Json all{{"total", json_of(total)}};
    for (const auto& part : parts) all["parts"][part.name] = json_of(part.cost);
    all["training"] = {{"tokens", tokens}, {"flops", training_flops}};
    all["processes"] = options.processes;
    for (const auto& part : memory) all["memory_bytes"][part.name] = part.bytes;
    all["memory_bytes"]["total"] = total_of(memory);
    return print(all);
  }
  std::printf("%-34s %12s %12s %12s %14s %14s\n", "", "parameters", "active", "FLOPs/token", "routing params",
              "routing FLOPs");
  for (const auto& part : parts) print_row(part.name, part.cost);
  print_row("total", total);
  if (total.routing_flops > 0) print_row("total beside routing", beside_routing(total));
  std::printf(
      "\nFLOPs are of the forward pass of one token in sequences of %lld, 2 per multiply-add; training takes three "
      "times as many.\ntraining: %s tokens in %lld steps of %s, %sFLOP\n",
      static_cast<long long>(run.data.seq_len), short_count(tokens).c_str(),
      static_cast<long long>(run.train.max_steps), short_count(static_cast<double>(run.tokens_per_step())).c_str(),
      short_count(training_flops).c_str());
  print_memory(memory, options.processes);
}

}  // namespace

void add_plan(CLI::App& app) {
  auto options = std::make_shared<Options>();
  auto* verb = app.add_subcommand(
      "plan", "say what a run costs: parameters and FLOPs, part by part, and memory on CPUs; no training");
  verb->add_option("--config", options->file, "the run's YAML file")->required();
  verb->add_option("overrides", options->overrides, "key.path=value: overrides the file; a later one wins");
  verb->add_option("--processes", options->processes, "how many will train together: for the memory of each")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  verb->add_flag("--json", options->json, "one JSON object on one line");
  verb->callback([options] { plan(*options); });
}

}  // namespace peerless::cli
