// Ways to save that lose data when the power goes, as seen in programs that people use, written over Files. They are
// the controls of a campaign: a harness that does not see them fail sees nothing.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/base/random.h"

namespace peerless::reliability {

struct Pattern {
  std::string name;
  void (*save)(Files& files, const std::filesystem::path& folder, std::int64_t step);
  std::optional<std::int64_t> (*load)(const Files& files, const std::filesystem::path& folder);  // of an intact state
};

namespace patterns {

using Path = std::filesystem::path;
constexpr std::int64_t kParts = 3;

inline std::string payload(std::int64_t step, std::int64_t part) {
  std::string bytes(64 << 10, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(mix(static_cast<std::uint64_t>(step * kParts + part), i / 64));
  return bytes;
}
inline std::string payload(std::int64_t step) {
  std::string all;
  for (std::int64_t part = 0; part < kParts; ++part) all += payload(step, part);
  return all;
}

inline void write(OutputFile& file, const std::string& bytes, bool synced) {
  const auto half = bytes.size() / 2;
  file.write(std::string_view(bytes).substr(0, half));
  file.write(std::string_view(bytes).substr(half));
  if (synced) file.sync();
  file.close();
}
inline void rewrite(Files& files, const Path& file, const std::string& bytes, bool synced) {
  if (exists(files, file)) files.truncate(file, 0);
  write(*files.append(file), bytes, synced);
}
inline void replace(Files& files, const Path& file, const std::string& bytes, bool synced) {
  const auto temporary = hidden_beside(file, ".tmp");
  rewrite(files, temporary, bytes, synced);
  files.rename(temporary, file);
}

inline std::string content(const Files& files, const Path& file) {
  return exists(files, file) ? read_text(files, file, 1 << 20) : "";
}
inline std::optional<std::int64_t> step_of(const std::string& bytes) {
  for (const std::int64_t step : {2, 1})
    if (bytes == payload(step)) return step;
  return std::nullopt;
}
inline std::optional<std::int64_t> number_in(const std::string& text) {
  return text == "1" || text == "2" ? std::optional<std::int64_t>(text[0] - '0') : std::nullopt;
}
inline std::string part_name(std::int64_t part) { return concat("part", part); }

// `number` names the step of the parts in `folder`.
inline std::optional<std::int64_t> step_of_parts(const Files& files, const Path& folder, const std::string& number) {
  const auto step = number_in(number);
  for (std::int64_t part = 0; step && part < kParts; ++part)
    if (content(files, folder / part_name(part)) != payload(*step, part)) return std::nullopt;
  return step;
}

inline std::optional<std::int64_t> load_latest(const Files& files, const Path& folder) {
  return step_of(content(files, folder / "latest"));
}

// The parts rewritten where they are, then the file that names them.
inline void overwrite_parts(Files& files, const Path& folder, std::int64_t step) {
  for (std::int64_t part = 0; part < kParts; ++part)
    rewrite(files, folder / part_name(part), payload(step, part), true);
  const auto metadata = folder / "metadata", temporary = hidden_beside(metadata, ".tmp");
  rewrite(files, temporary, std::to_string(step), true);
  if (exists(files, metadata)) files.remove(metadata);
  files.rename(temporary, metadata);
}
inline std::optional<std::int64_t> load_parts(const Files& files, const Path& folder) {
  return step_of_parts(files, folder, content(files, folder / "metadata"));
}

// A folder for each step, and a file that says which is the newest.
inline void track(Files& files, const Path& folder, std::int64_t step) {
  const auto own = folder / concat("iteration", step);
  files.make_folder(own);
  for (std::int64_t part = 0; part < kParts; ++part)
    write(*files.create(own / part_name(part)), payload(step, part), true);
  rewrite(files, folder / "newest", std::to_string(step), false);
}
inline std::optional<std::int64_t> load_tracked(const Files& files, const Path& folder) {
  const auto newest = content(files, folder / "newest");
  return step_of_parts(files, folder / concat("iteration", newest), newest);
}

// A new file, renamed; then the older one is removed.
inline void supersede(Files& files, const Path& folder, std::int64_t step) {
  const auto dirty = folder / concat(step, ".dirty");
  write(*files.create(dirty), payload(step), false);
  files.rename(dirty, folder / concat(step, ".state"));
  if (step > 1) files.remove(folder / concat(step - 1, ".state"));
}
inline std::optional<std::int64_t> load_newest(const Files& files, const Path& folder) {
  for (const std::int64_t step : {2, 1})
    if (const auto file = folder / concat(step, ".state"); exists(files, file)) return step_of(content(files, file));
  return std::nullopt;
}

}  // namespace patterns

inline const std::vector<Pattern>& losing_patterns() {
  using namespace patterns;
  static const std::vector<Pattern> all{
      {"one file rewritten in place",
       [](Files& files, const Path& folder, std::int64_t step) {
         rewrite(files, folder / "latest", payload(step), false);
       },
       load_latest},
      {"renamed, nothing synced",
       [](Files& files, const Path& folder, std::int64_t step) {
         replace(files, folder / "latest", payload(step), false);
       },
       load_latest},
      {"synced and renamed, folder not synced",
       [](Files& files, const Path& folder, std::int64_t step) {
         replace(files, folder / "latest", payload(step), true);
       },
       load_latest},
      {"parts overwritten, metadata replaced", overwrite_parts, load_parts},
      {"folder a step, tracker rewritten", track, load_tracked},
      {"renamed, not synced, older one removed", supersede, load_newest},
  };
  return all;
}

}  // namespace peerless::reliability
