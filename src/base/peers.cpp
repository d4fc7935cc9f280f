#include "peerless/base/peers.h"

#include <algorithm>
#include <optional>

namespace peerless {
namespace {

std::optional<SharedError> failure_of(const std::function<void()>& work) {
  try {
    work();
    return std::nullopt;
  } catch (const Error& error) {
    return SharedError(error.code(), error.what());
  } catch (const std::exception& error) {
    return SharedError(ExitCode::internal, error.what());
  }
}

// "74 3 disk full": code, process, words; empty where all went well.
std::string first_failure(const std::vector<std::string>& outcomes) {
  const auto failed = std::ranges::find_if(outcomes, [](const auto& outcome) { return !outcome.empty(); });
  if (failed == outcomes.end()) return "";
  const auto space = failed->find(' ');
  return concat(failed->substr(0, space), " ", failed - outcomes.begin(), failed->substr(space));
}

}  // namespace

void together(Peers& peers, const std::function<void()>& work) {
  const auto mine = failure_of(work);
  const auto outcomes = peers.collect(mine ? concat(static_cast<int>(mine->code()), " ", mine->what()) : "");
  const auto failure = peers.announce(first_failure(outcomes));
  if (failure.empty()) return;
  const auto code = static_cast<ExitCode>(std::stoi(failure));  // one for all, who then go on alike
  if (mine) throw SharedError(code, mine->what());
  const auto rank = failure.find(' ') + 1, words = failure.find(' ', rank) + 1;
  throw SharedError(code, "process ", failure.substr(rank, words - 1 - rank), ": ", failure.substr(words));
}

}  // namespace peerless
