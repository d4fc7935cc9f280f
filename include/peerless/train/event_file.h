// TensorBoard's event files, for the dashboards that people have: `tensorboard --logdir runs`.
//
//   file     records, one after the other; the first names the version. A run's folder gets one file at each start.
//   record   u64 length | u32 mask(crc32c(length)) | an Event | u32 mask(crc32c(Event))            little-endian
//   mask(c)  c rotated right by 15 bits, plus 0xa282ead8
//   Event    of TensorFlow's event.proto: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7
//
// When a run goes on from a step, points beyond it are cut from its earlier files, and the new file begins with the
// mark that makes a TensorBoard that is looking on forget them too.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/train/patient_log.h"

namespace peerless {

using Scalars = std::vector<std::pair<std::string, double>>;  // tag -> value

class EventFile {
 public:
  // Cuts the event files in `folder` after `last_step`, and begins another.
  EventFile(Files& files, const std::filesystem::path& folder, std::int64_t last_step);

  void write(std::int64_t step, const Scalars& scalars);
  void sync();

 private:
  void write_event(std::int64_t step, std::string_view fields);

  std::optional<PatientLog> file_;
};

// CRC-32C (Castagnoli), reflected polynomial 0x82F63B78.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace peerless
