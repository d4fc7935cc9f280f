// The small files of a run's folder that a restart reads: journal.json, and .owner of whoever held the folder before.
#include "peerless/checkpoint/journal.h"

#include "peerless/checkpoint/run_lock.h"
#include "tests/fuzz/targets.h"
#include "tests/support/memory_files.h"

namespace peerless::fuzz {
namespace {

constexpr const char* kJournal = "/journal.json";

bool check_journal(std::string_view text) {
  MemoryFiles files;
  files.put(kJournal, std::string(text));
  Journal journal(files, kJournal);
  PEERLESS_CHECK(journal.rollbacks() >= 0, "below 0");
  const bool kept = exists(files, kJournal);  // else it was set aside
  accepts(ExitCode::no_progress, [&] { journal.start(3); });
  PEERLESS_CHECK(journal.durable() >= 0 && journal.last_save().count() >= 0, "below 0");
  journal.durable(7, journal.last_save());
  Journal again(files, kJournal);
  PEERLESS_CHECK(again.rollbacks() == journal.rollbacks() && again.last_save() == journal.last_save(), "other numbers");
  const std::int64_t samples = journal.go_on_from(3, 1);
  PEERLESS_CHECK(again.go_on_from(3, 1) == samples && (kept || samples == 1), "other samples");
  return kept;
}

void check_owner(std::string_view text) {
  MemoryFiles files;
  files.put("/.owner", std::string(text));
  using std::chrono::milliseconds;
  accepts(ExitCode::output, [&] {
    const RunLock lock(files, "/", "here", "process 1", {.beat = milliseconds(60'000), .patience = milliseconds(0)});
    lock.check();
    files.content("/.owner") = text;
    lock.check();
  });
}

}  // namespace

bool journal(Bytes bytes) {
  check_owner(text_of(bytes));
  return check_journal(text_of(bytes));
}

}  // namespace peerless::fuzz
