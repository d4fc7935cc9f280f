#include <iostream>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/checkpoint/diff.h"
#include "peerless/checkpoint/reshard.h"
#include "peerless/cli/verbs.h"
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
    return code == ExitCode::ok ? "good" : code == ExitCode::data ? "damaged" : "unreadable";
  }
  std::string line() const {
    if (code != ExitCode::ok) return concat(path, "  ", state(), ": ", fault);
    return concat(path, "  good, ", human_bytes(static_cast<double>(bytes)), " in ", tensors, " tensors");
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
  if (bad > 0) throw Error(code, path, ": ", bad, bad == 1 ? " checkpoint is" : " checkpoints are", " not good");
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
    int parts = 1;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  auto* group = app.add_subcommand("checkpoint", "list, verify, compare and rewrite checkpoints");
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
}

}  // namespace peerless::cli
