#include <iostream>
#include <nlohmann/json.hpp>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/checkpoint/diff.h"
#include "peerless/cli/verbs.h"

namespace peerless::cli {
namespace {

using Json = nlohmann::ordered_json;

// What two runs of one training may differ in: where they and their inputs lie (tokenizer and data are compared by
// fingerprint), and where they paused.
const std::vector<std::string> kKeysThatDoNotCount{"run", "tokenizer", "data", "train.stop_at"};
constexpr std::size_t kDifferencesShown = 10;

std::filesystem::path checkpoints_of(const std::string& path) {
  const auto inside = std::filesystem::path(path) / "checkpoints";
  return exists(disk(), inside) ? inside : std::filesystem::path(path);
}

// What is wrong with the checkpoint; empty: nothing.
std::string fault(const CheckpointFolder& folder, std::int64_t step) {
  try {
    folder.open(step);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

void list(const std::string& path, bool as_json) {
  const CheckpointFolder folder(disk(), checkpoints_of(path));
  Json all = Json::array();
  for (const auto step : folder.steps()) {
    const auto checkpoint_path = folder.path() / step_name(step);
    const std::string wrong = fault(folder, step);
    all.push_back({{"step", step}, {"path", checkpoint_path.string()}, {"good", wrong.empty()}, {"fault", wrong}});
    if (!as_json) std::cout << checkpoint_path.string() << (wrong.empty() ? "  good" : "  BAD: " + wrong) << "\n";
  }
  if (as_json) std::cout << all << "\n";
  if (all.empty()) throw Error(ExitCode::no_input, path, ": holds no checkpoint");
}

void verify(const std::string& path) {
  const Checkpoint checkpoint = find_checkpoint(disk(), path);  // opening reads and verifies every byte
  std::cout << checkpoint.path().string() << ": good, step " << checkpoint.info().step << ", "
            << human_bytes(static_cast<double>(checkpoint.size_bytes())) << " in "
            << checkpoint.manifest().tensors.size() << " tensors\n";
}

bool print_differences(const std::string& a, const std::string& b) {
  const auto differences = diff(find_checkpoint(disk(), a), find_checkpoint(disk(), b), kKeysThatDoNotCount);
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
  ls->callback([options] { list(options->a, options->json); });

  auto* check = group->add_subcommand(
      "verify", "read every byte of a checkpoint and compare all hashes; exit 65 when one is wrong");
  check->add_option("checkpoint", options->a, "a checkpoint, or a run for its newest good one")->required();
  check->callback([options] { verify(options->a); });

  auto* compare = group->add_subcommand(
      "diff", "say `identical` (exit 0) only when two checkpoints have the same bits; else exit 1");
  compare->add_option("a", options->a, "a checkpoint, or a run for its newest good one")->required();
  compare->add_option("b", options->b, "another")->required();
  compare->callback([options, &exit_code] {
    if (print_differences(options->a, options->b)) exit_code = ExitCode::different;
  });
}

}  // namespace peerless::cli
