#include <iostream>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/checkpoint/diff.h"
#include "peerless/cli/verbs.h"
#include "src/cli/json.h"

namespace peerless::cli {
namespace {

// What two runs of one training may differ in: where they and their inputs lie (tokenizer and data are compared by
// fingerprint), and where they paused.
const std::vector<std::string> kKeysThatDoNotCount{"run", "tokenizer", "data", "train.stop_at"};
constexpr std::size_t kDifferencesShown = 10;

// The checkpoints that a path means: one, or all of a run, newest first.
std::vector<std::filesystem::path> checkpoints_at(const std::string& path) {
  if (is_one_checkpoint(disk(), path)) return {path};
  const auto folder = checkpoints_of(disk(), path);
  std::vector<std::filesystem::path> all;
  for (const auto step : folder.steps()) all.push_back(folder.path() / step_name(step));
  if (all.empty()) throw Error(ExitCode::no_input, path, ": holds no checkpoint");
  return all;
}

// Opening reads and verifies every byte.
Json verified(const std::filesystem::path& path) {
  try {
    const auto checkpoint = Checkpoint::open(disk(), path);
    return {{"path", path.string()},
            {"good", true},
            {"step", checkpoint.info().step},
            {"bytes", checkpoint.size_bytes()},
            {"tensors", checkpoint.manifest().tensors.size()}};
  } catch (const Error& error) {
    if (error.code() != ExitCode::data) throw;
    return {{"path", path.string()}, {"good", false}, {"fault", error.what()}};
  }
}

std::string line_of(const Json& checkpoint) {
  const auto path = checkpoint["path"].get<std::string>();
  if (!checkpoint["good"]) return concat(path, "  BAD: ", checkpoint["fault"].get<std::string>());
  return concat(path, "  good, ", human_bytes(checkpoint["bytes"].get<double>()), " in ",
                checkpoint["tensors"].get<std::int64_t>(), " tensors");
}

// Prints each of them, and returns how many are damaged.
std::size_t print_verified(const std::string& path, bool as_json) {
  Json all = Json::array();
  std::size_t damaged = 0;
  for (const auto& checkpoint : checkpoints_at(path)) {
    all.push_back(verified(checkpoint));
    if (!all.back()["good"]) ++damaged;
    if (!as_json) std::cout << line_of(all.back()) << std::endl;
  }
  if (as_json) print(all);
  return damaged;
}

void verify(const std::string& path, bool as_json) {
  const auto damaged = print_verified(path, as_json);
  if (damaged > 0)
    throw Error(ExitCode::data, path, ": ", damaged, damaged == 1 ? " checkpoint is" : " checkpoints are", " damaged");
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

}  // namespace

void add_checkpoint(CLI::App& app, ExitCode& exit_code) {
  struct Options {
    std::string a, b;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  auto* group = app.add_subcommand("checkpoint", "list, verify and compare checkpoints");
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
  compare->add_option("a", options->a, "a checkpoint, or a run for its newest good one")->required();
  compare->add_option("b", options->b, "another")->required();
  compare->add_flag("--json", options->json, "one JSON object on one line, with all differences");
  compare->callback([options, &exit_code] {
    if (print_differences(options->a, options->b, options->json)) exit_code = ExitCode::different;
  });
}

}  // namespace peerless::cli
