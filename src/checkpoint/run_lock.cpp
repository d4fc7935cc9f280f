#include "peerless/checkpoint/run_lock.h"

#include <algorithm>
#include <utility>

#include "peerless/base/log.h"
#include "peerless/base/unique_name.h"

namespace peerless {
namespace {

constexpr const char* kLock = ".lock";
constexpr const char* kOwner = ".owner";
constexpr std::uint64_t kMaxLine = 4096;

std::string_view word(std::string_view line, int number) {
  for (; number > 0; --number) line.remove_prefix(std::min(line.size(), line.find(' ') + 1));
  return line.substr(0, line.find(' '));
}

std::string holder_of(std::string_view line) {
  for (int i = 0; i < 2; ++i) line.remove_prefix(std::min(line.size(), line.find(' ') + 1));
  return line.empty() ? "another process" : excerpt(line, 200);
}

}  // namespace

RunLock::RunLock(Files& files, std::filesystem::path folder, const std::string& machine, const std::string& holder,
                 LockTiming timing, const Stopped& stopped)
    : files_(files),
      folder_(std::move(folder)),
      owner_file_(folder_ / kOwner),
      owner_(concat(unique_name(), " ", machine, " ", excerpt(holder, 200))),
      timing_(timing),
      system_lock_(files.lock(folder_ / kLock, holder)) {
  take_over(machine, stopped);
  check();
  thread_ = std::thread([this] { beat(); });
}

RunLock::~RunLock() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ending_changed_.notify_all();
  thread_.join();
  try {
    if (is_held()) files_.remove(owner_file_);
  } catch (const Error&) {
    // The next one waits a little.
  }
}

void RunLock::check() const {
  const auto now = read_owner();
  if (now.line == owner_) return;
  throw Error(ExitCode::output, printable(folder_.string()), ": taken over by ", holder_of(now.line),
              ", to which this process looked dead");
}

// Who has the system's lock on the machine of the owner before knows that it is dead. Of several that find a dead one's
// file, the last to write has it; the others notice in check().
void RunLock::take_over(const std::string& machine, const Stopped& stopped) {
  const auto before = read_owner();
  if (before.bytes > 0) {
    const bool seen_to_be_dead = system_lock_ && word(before.line, 1) == machine;
    if (!seen_to_be_dead) wait_for_its_end(before, stopped);
  }
  const auto own = folder_ / concat("owner.", word(owner_, 0));  // no other process writes it
  write_atomically(files_, own, owner_ + "\n");
  files_.rename(own, owner_file_);
}

void RunLock::wait_for_its_end(const Owner& before, const Stopped& stopped) const {
  log::info(folder_, ": waits for ", std::chrono::duration_cast<std::chrono::seconds>(timing_.patience).count(),
            " s whether ", holder_of(before.line), " still lives");
  const auto until = std::chrono::steady_clock::now() + timing_.patience;
  while (std::chrono::steady_clock::now() < until) {
    if (stopped())
      throw Error(ExitCode::preempted, printable(folder_.string()), ": asked to stop while it waits whether ",
                  holder_of(before.line), " still lives");
    std::this_thread::sleep_for(std::min(timing_.beat, timing_.patience) / 10);
    const auto now = read_owner();
    if (now.bytes == 0) return;
    if (now != before) throw Error(ExitCode::output, printable(folder_.string()), ": in use by ", holder_of(now.line));
  }
}

void RunLock::beat() {
  std::unique_lock lock(mutex_);
  while (!ending_changed_.wait_for(lock, timing_.beat, [this] { return ending_; })) {
    try {
      if (read_owner().line != owner_) {
        lost_ = true;
        return;
      }
      const auto file = files_.append(owner_file_);
      file->write(".");
      file->sync();
      file->close();
    } catch (const Error& error) {
      log::warning(error.what());
    }
  }
}

bool RunLock::is_held() const {
  try {
    return !lost_ && read_owner().line == owner_;
  } catch (const Error&) {
    return true;  // nobody else was seen there
  }
}

RunLock::Owner RunLock::read_owner() const {
  if (!exists(files_, owner_file_)) return {};
  const auto file = files_.open(owner_file_);
  std::string head(std::min(file->size(), kMaxLine), '\0');
  file->read(0, std::as_writable_bytes(std::span(head)));
  return {head.substr(0, head.find('\n')), file->size()};
}

}  // namespace peerless
