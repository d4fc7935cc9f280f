#include <iostream>

#include "peerless/checkpoint/average.h"
#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/checkpoint/diff.h"
#include "peerless/checkpoint/reshard.h"
#include "peerless/cli/verbs.h"
#include "peerless/train/prune.h"
#include "src/cli/json.h"

namespace peerless::cli {
namespace {

// What two runs of one training may differ in: where they and their inputs lie (tokenizer and data are compared by
// fingerprint), where they paused, and how processes divided the work.
const std::vector<std::string> kKeysThatDoNotCount{"run", "tokenizer", "data", "train.stop_at", "parallel"};
constexpr std::size_t kDifferencesShown = 10;

// The checkpoints that a path means: one, or all of a run, newest first.
std::vector<std::filesystem::path> checkpoints_at(const std::string& path) {
  if (is_one_checkpoint(disk(), path)) return {path};
  const auto folder = checkpoints_of(disk(), path);
  std::vector<std::filesystem::path> all;
  for (const auto step : folder.steps()) all.push_back(folder.path() / step_name(step));
  return all;
}

// What reading and verifying every byte of one told.
struct Verdict {
  std::filesystem::path path;
  ExitCode code;  // data: damaged; any other: it could not be read
  std::string fault;
  std::uint64_t bytes;
  std::size_t tensors;

  const char* state() const {
    return code == ExitCode::ok ? "intact" : code == ExitCode::data ? "damaged" : "unreadable";
  }
  std::string line() const {
    if (code != ExitCode::ok) return concat(path, "  ", state(), ": ", fault);
    return concat(path, "  intact, ", human_bytes(static_cast<double>(bytes)), " in ", tensors, " tensors");
  }
  Json json() const {
    Json json{{"path", path.string()}, {"step", or_null(step_in(path))}, {"state", state()}};
    if (code == ExitCode::ok) json.update({{"bytes", bytes}, {"tensors", tensors}});
    if (code != ExitCode::ok) json["fault"] = fault;
    return json;
  }
};

// Nothing for one that a run removes meanwhile.
std::optional<Verdict> verified(const std::filesystem::path& path) {
  try {
    const auto checkpoint = Checkpoint::open_verified(disk(), path);
    return Verdict{path, ExitCode::ok, "", checkpoint.size_bytes(), checkpoint.manifest().tensors.size()};
  } catch (const Error& error) {
    if (!exists(disk(), path)) return std::nullopt;
    const bool newer = error.code() == ExitCode::data && !is_damage(error);
    return Verdict{path, newer ? ExitCode::config : error.code(), error.what(), 0, 0};
  }
}

// Prints and returns them.
std::vector<Verdict> print_verified(const std::string& path, bool as_json) {
  std::vector<Verdict> all;
  Json json = Json::array();
  for (const auto& checkpoint : checkpoints_at(path)) {
    const auto verdict = verified(checkpoint);
    if (!verdict) continue;
    all.push_back(*verdict);
    as_json ? json.push_back(verdict->json()) : void(std::cout << verdict->line() << std::endl);
  }
  if (all.empty()) throw Error(ExitCode::no_input, path, ": holds no checkpoint");
  if (as_json) print(json);
  return all;
}

void verify(const std::string& path, bool as_json) {
  std::size_t bad = 0;
  ExitCode code = ExitCode::ok;
  for (const auto& verdict : print_verified(path, as_json)) {
    if (verdict.code == ExitCode::ok) continue;
    ++bad;
    if (code != ExitCode::data) code = verdict.code;
  }
  if (bad > 0) throw Error(code, path, ": ", bad, bad == 1 ? " checkpoint is" : " checkpoints are", " not intact");
}

bool print_differences(const std::string& a, const std::string& b, bool as_json) {
  const auto differences = diff(find_checkpoint(disk(), a), find_checkpoint(disk(), b), kKeysThatDoNotCount);
  if (as_json) {
    print(Json{{"identical", differences.empty()}, {"differences", differences}});
    return !differences.empty();
  }
  for (std::size_t i = 0; i < std::min(differences.size(), kDifferencesShown); ++i) std::cout << differences[i] << "\n";
  if (differences.size() > kDifferencesShown)
    std::cout << "... and " << differences.size() - kDifferencesShown << " more\n";
  if (differences.empty()) std::cout << "identical\n";
  return !differences.empty();
}

void print_pruned(const std::string& run, std::int64_t keep_last, bool dry_run) {
  for (const auto& path : prune(disk(), run, keep_last, dry_run))
    std::cout << (dry_run ? "would remove " : "removed ") << path.string() << "\n";
}

void write_average(const std::vector<std::string>& paths, const std::string& folder) {
  std::vector<Checkpoint> checkpoints;
  for (const auto& path : paths) checkpoints.push_back(find_checkpoint(disk(), path));
  average(disk(), checkpoints, folder);
  std::cout << find_checkpoint(disk(), folder).path().string() << std::endl;
}

void add_prune(CLI::App& group) {
  struct Options {
    std::string run;
    std::int64_t keep_last = 0;
    bool dry_run = false;
  };
  auto options = std::make_shared<Options>();
  auto* verb =
      group.add_subcommand("prune", "remove old checkpoints of a run; those that training would go back to stay");
  verb->add_option("run", options->run, "the run's folder")->required();
  verb->add_option("--keep-last", options->keep_last, "so many of the newest intact ones stay, 2 or more")
      ->required()
      ->check(CLI::Range(std::int64_t{2}, std::int64_t{1} << 20));
  verb->add_flag("--dry-run", options->dry_run, "only say which would be removed");
  verb->callback([options] { print_pruned(options->run, options->keep_last, options->dry_run); });
}

void add_average(CLI::App& group) {
  struct Options {
    std::vector<std::string> checkpoints;
    std::string folder;
  };
  auto options = std::make_shared<Options>();
  auto* verb = group.add_subcommand(
      "average", "write the mean of the weights of several checkpoints, to evaluate or begin a run with");
  verb->add_option(
          "checkpoints", options->checkpoints,
          "two or more of one model, each a checkpoint, or a run for its newest intact one; step and config are of "
          "the first")
      ->required();
  verb->add_option("--out", options->folder, "where step-.../ is to be: a new folder")->required();
  verb->callback([options] { write_average(options->checkpoints, options->folder); });
}

}  // namespace

void add_checkpoint(CLI::App& app, ExitCode& exit_code) {
  struct Options {
    std::string a, b;
    int parts = 1;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  auto* group = app.add_subcommand("checkpoint", "list, verify, compare, rewrite, average and remove checkpoints");
  group->require_subcommand(1);

  auto* ls = group->add_subcommand("ls", "the checkpoints of a run, newest first, each verified");
  ls->add_option("run", options->a, "a run, or its folder of checkpoints")->required();
  ls->add_flag("--json", options->json, "a JSON array on one line");
  ls->callback([options] { print_verified(options->a, options->json); });

  auto* check = group->add_subcommand("verify", "read every byte and compare all hashes; exit 65 when one is wrong");
  check->add_option("checkpoint", options->a, "a checkpoint, or a run for all of its")->required();
  check->add_flag("--json", options->json, "a JSON array on one line");
  check->callback([options] { verify(options->a, options->json); });

  auto* compare = group->add_subcommand(
      "diff", "say `identical` (exit 0) only when two checkpoints have the same bits; else exit 1");
  compare->add_option("a", options->a, "a checkpoint, or a run for its newest intact one")->required();
  compare->add_option("b", options->b, "another")->required();
  compare->add_flag("--json", options->json, "one JSON object on one line, with all differences");
  compare->callback([options, &exit_code] {
    if (print_differences(options->a, options->b, options->json)) exit_code = ExitCode::different;
  });

  auto* reshard = group->add_subcommand("reshard", "write a checkpoint anew, in another number of files");
  reshard->add_option("checkpoint", options->a, "a checkpoint, or a run for its newest intact one")->required();
  reshard->add_option("folder", options->b, "where step-.../ is to be")->required();
  reshard->add_option("--parts", options->parts, "number of files")->capture_default_str()->check(CLI::PositiveNumber);
  reshard->callback([options] {
    peerless::reshard(disk(), find_checkpoint(disk(), options->a), options->b, options->parts);
    std::cout << find_checkpoint(disk(), options->b).path().string() << std::endl;
  });

  add_average(*group);
  add_prune(*group);
}

}  // namespace peerless::cli
