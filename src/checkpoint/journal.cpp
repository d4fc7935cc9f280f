#include "peerless/checkpoint/journal.h"

#include <algorithm>
#include <utility>

#include "peerless/base/log.h"
#include "src/checkpoint/strict_json.h"

namespace peerless {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::uint64_t kMaxBytes = 4096;
constexpr std::int64_t kMaxSaveMs = 1'000'000'000;

}  // namespace

Journal::Journal(Files& files, std::filesystem::path file) : files_(files), file_(std::move(file)) {
  if (!exists(files_, file_)) return;
  try {
    entries_ = parse(read_text(files_, file_, kMaxBytes), file_);
  } catch (const Error& error) {
    if (error.code() != ExitCode::data) throw;
    const auto aside = file_.parent_path() / concat("aside-", file_.filename());
    log::warning(error.what(), "; it is set aside as ", aside.filename(), ", and a new one begun");
    files_.rename(file_, aside);
  }
}

Journal::Entries Journal::parse(const std::string& text, const std::filesystem::path& file) {
  const auto where = printable(file.string());
  const auto json = parse_strict_json(text, where);
  const auto number = [&](const nlohmann::json& object, const char* key) {
    const auto found = object.is_object() && object.contains(key) ? natural_number(object[key]) : std::nullopt;
    if (!found) throw Error(ExitCode::data, where, ": ", key, " must be an integer >= 0");
    return *found;
  };
  if (number(json, "version") != kVersion) throw Error(ExitCode::data, where, ": version must be ", kVersion);
  Entries entries{number(json, "starts"), number(json, "durable"), number(json, "rollbacks")};
  if (json.contains("save_ms")) entries.save_ms = std::min(number(json, "save_ms"), kMaxSaveMs);
  if (json.contains("skip")) entries.skip = Skip{number(json["skip"], "step"), number(json["skip"], "samples")};
  return entries;
}

void Journal::start(std::int64_t most) {
  const std::lock_guard lock(mutex_);
  if (entries_.starts >= most)
    throw Error(ExitCode::no_progress, printable(file_.parent_path().string()), ": ", entries_.starts,
                " starts in a row ended before a checkpoint newer than step ", entries_.durable,
                " was durable; see log.txt for why; a larger train.max_restarts tries again");
  ++entries_.starts;
  write();
}

void Journal::end() {
  const std::lock_guard lock(mutex_);
  if (entries_.starts == 0) return;
  --entries_.starts;
  try_to_write();
}

void Journal::durable(std::int64_t step, std::chrono::milliseconds save) {
  const std::lock_guard lock(mutex_);
  entries_.durable = step;
  entries_.save_ms = save.count();
  entries_.starts = 0;
  try_to_write();
}

void Journal::roll_back(const Skip& skip) {
  const std::lock_guard lock(mutex_);
  ++entries_.rollbacks;
  entries_.skip = skip;
  entries_.durable = skip.step;
  write();
}

std::int64_t Journal::go_on_from(std::int64_t step, std::int64_t samples) {
  const std::lock_guard lock(mutex_);
  if (entries_.skip && entries_.skip->step > step) {
    entries_.skip.reset();
    write();
  }
  return entries_.skip && entries_.skip->step == step ? entries_.skip->samples : samples;
}

std::int64_t Journal::durable() const {
  const std::lock_guard lock(mutex_);
  return entries_.durable;
}

std::chrono::milliseconds Journal::last_save() const {
  const std::lock_guard lock(mutex_);
  return std::chrono::milliseconds(entries_.save_ms);
}

std::int64_t Journal::rollbacks() const {
  const std::lock_guard lock(mutex_);
  return entries_.rollbacks;
}

void Journal::try_to_write() const {
  try {
    write();
  } catch (const IoError& error) {
    log::warning(error.what());
  }
}

void Journal::write() const {
  nlohmann::ordered_json json{{"version", kVersion},
                              {"starts", entries_.starts},
                              {"durable", entries_.durable},
                              {"rollbacks", entries_.rollbacks}};
  if (entries_.save_ms > 0) json["save_ms"] = entries_.save_ms;
  if (entries_.skip) json["skip"] = {{"step", entries_.skip->step}, {"samples", entries_.skip->samples}};
  write_atomically(files_, file_, json.dump() + "\n");
}

}  // namespace peerless
