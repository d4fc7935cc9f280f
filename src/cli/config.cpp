#include <iostream>

#include "peerless/cli/verbs.h"
#include "peerless/config/config.h"
#include "peerless/train/setup.h"

namespace peerless::cli {
namespace {

struct Options {
  std::string file;
  std::vector<std::string> overrides;
  std::string key;
  bool markdown = false;
};

void add_file_options(CLI::App& verb, Options& options) {
  verb.add_option("--config", options.file, "the run's YAML file")->required();
  verb.add_option("overrides", options.overrides, "key.path=value: overrides the file; a later one wins");
}

config::Loaded<RunConfig> load(const Options& options) {
  return config::load<RunConfig>(disk(), options.file, options.overrides);
}

// What the program would choose itself.
void derive(RunConfig& run, config::Origins& origins) {
  const auto choose = [&](auto& optional, std::int64_t value, const char* path) {
    if (optional) return;
    optional = value;
    origins.derive(path);
  };
  choose(run.model.n_kv_heads, run.model.kv_heads(), "model.n_kv_heads");
  choose(run.model.head_dim, run.model.head_width(), "model.head_dim");
  if (run.device == Device::automatic) {
    run.device = choose_device(run.device).is_cpu() ? Device::cpu : Device::cuda;
    origins.derive("device");
  }
}

}  // namespace

void add_config(CLI::App& app) {
  auto* group = app.add_subcommand("config", "check, show and explain the YAML of a run");
  group->require_subcommand(1);
  auto options = std::make_shared<Options>();

  auto* check =
      group->add_subcommand("check", "read and validate; exit 78 and one line per problem when it is not right");
  add_file_options(*check, *options);
  check->callback([options] {
    load(*options);
    std::cout << options->file << ": ok\n";
  });

  auto* show = group->add_subcommand("show", "print the resolved config, each value with where it comes from");
  add_file_options(*show, *options);
  show->callback([options] {
    auto [run, origins] = load(*options);
    derive(run, origins);
    std::cout << config::show(run, origins);
  });

  auto* explain =
      group->add_subcommand("explain", "say what a key is for: type, default, rule, and what a change means at resume");
  explain->add_option("key", options->key, "model.ffw.top_k, say; of a section, all its keys")->required();
  explain->callback([options] { std::cout << config::explain<RunConfig>(options->key); });

  auto* schema = group->add_subcommand("schema", "print a JSON Schema of the YAML, for editors");
  schema->add_flag("--markdown", options->markdown, "the tables of docs/config.md instead");
  schema->callback([options] {
    std::cout << (options->markdown ? config::markdown<RunConfig>() : config::schema<RunConfig>("peerless run"));
  });
}

}  // namespace peerless::cli
