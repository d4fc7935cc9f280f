#include "peerless/train/event_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>

#include "peerless/base/host.h"

namespace peerless {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.", kSuffix = ".peerless";

// ---- bytes ----------------------------------------------------------------------------------------------------------

template <class T>
std::string fixed(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

template <class T>
T read_fixed(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

std::uint32_t masked_crc(std::string_view bytes) {
  constexpr std::uint32_t kDelta = 0xa282ead8;
  const std::uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + kDelta;
}

// ---- protocol buffers -----------------------------------------------------------------------------------------------

enum class Wire { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes += static_cast<char>(value);
}

std::string key(int field, Wire wire) {
  return varint(static_cast<std::uint64_t>(field) << 3 | static_cast<int>(wire));
}
std::string message(int field, std::string_view bytes) {
  return key(field, Wire::bytes) + varint(bytes.size()) + std::string(bytes);
}

std::string version_fields() { return message(3, "brain.Event:2"); }
std::string start_fields() { return message(7, key(1, Wire::varint) + varint(1)); }  // SessionLog, status START

std::string summary_fields(const Scalars& scalars) {
  std::string values;
  for (const auto& [tag, value] : scalars)
    values += message(1, message(1, tag) + key(2, Wire::fixed32) + fixed(static_cast<float>(value)));
  return message(5, values);
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// An Event of ours begins with wall_time and step, in this order.
std::string event(std::int64_t step, std::string_view fields) {
  return key(1, Wire::fixed64) + fixed(wall_time()) + key(2, Wire::varint) + varint(static_cast<std::uint64_t>(step)) +
         std::string(fields);
}

constexpr std::size_t kBeforeStep = 1 + sizeof(double) + 1;

std::optional<std::int64_t> step_of(std::string_view event) {
  std::uint64_t step = 0;
  int shift = 0;
  for (std::size_t i = kBeforeStep; i < event.size() && shift < 64; ++i, shift += 7) {
    step |= static_cast<std::uint64_t>(event[i] & 0x7f) << shift;
    if ((event[i] & 0x80) == 0) return static_cast<std::int64_t>(step);
  }
  return std::nullopt;
}

// ---- what earlier starts left ---------------------------------------------------------------------------------------

// Bytes of the whole records, from the start, that are of steps up to `last_step`.
std::uint64_t bytes_to_keep(const InputFile& file, std::int64_t last_step) {
  constexpr std::uint64_t kHead = sizeof(std::uint64_t) + sizeof(std::uint32_t), kTail = sizeof(std::uint32_t);
  constexpr std::uint64_t kUpToStep = kHead + kBeforeStep + 10;
  std::string begin;
  std::uint64_t kept = 0;
  while (file.size() - kept >= kHead + kTail) {
    begin.resize(static_cast<std::size_t>(std::min(kUpToStep, file.size() - kept)));
    file.read(kept, std::as_writable_bytes(std::span(begin)));
    const auto length = read_fixed<std::uint64_t>(begin);
    if (length > file.size() - kept - kHead - kTail) break;
    const auto step = step_of(std::string_view(begin).substr(kHead, length));
    if (!step || *step > last_step) break;
    kept += kHead + length + kTail;
  }
  return kept;
}

std::int64_t seconds_in(std::string_view name) {
  std::int64_t seconds = 0;
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), seconds);
  return seconds;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      table[i] = i;
      for (int bit = 0; bit < 8; ++bit) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0x82F63B78 : 0);
    }
    return table;
  }();
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~crc;
}

EventFile::EventFile(Files& files, const fs::path& folder, std::int64_t last_step) {
  bool goes_on = last_step > 0;
  auto seconds = static_cast<std::int64_t>(wall_time());
  for (const auto& name : files.list(folder)) {
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;  // others' are not ours to cut
    goes_on = true;
    const auto before = files.open(folder / name);
    const auto keep = bytes_to_keep(*before, last_step);
    if (keep < before->size()) files.truncate(folder / name, keep);
    seconds = std::max(seconds, seconds_in(name) + 1);  // readers take the files in the order of their names
  }
  const auto file = folder / concat(kPrefix, seconds, ".", host_name(), ".", getpid(), kSuffix);
  files.create(file);
  file_.emplace(files, file);
  write_event(0, version_fields());
  if (goes_on) write_event(last_step + 1, start_fields());
}

void EventFile::write(std::int64_t step, const Scalars& scalars) { write_event(step, summary_fields(scalars)); }

void EventFile::sync() { file_->sync(); }

void EventFile::write_event(std::int64_t step, std::string_view fields) {
  const std::string bytes = event(step, fields);
  const std::string length = fixed(static_cast<std::uint64_t>(bytes.size()));
  file_->write(length + fixed(masked_crc(length)) + bytes + fixed(masked_crc(bytes)));
}

}  // namespace peerless
