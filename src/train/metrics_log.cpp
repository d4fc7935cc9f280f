#include "peerless/train/metrics_log.h"

namespace peerless {
namespace {

// Bytes of the whole lines, from the start, whose records are of steps up to `last_step`.
std::uint64_t bytes_to_keep(std::string_view content, std::int64_t last_step) {
  std::size_t kept = 0;
  for (std::size_t end = content.find('\n'); end != std::string_view::npos; end = content.find('\n', kept)) {
    const auto record = Json::parse(content.substr(kept, end - kept), nullptr, /*allow_exceptions=*/false);
    if (!record.is_object() || !record.contains("step") || record["step"] > last_step) break;
    kept = end + 1;
  }
  return kept;
}

}  // namespace

MetricsLog::MetricsLog(Files& files, const std::filesystem::path& file, std::int64_t last_step) {
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 32;
  if (exists(files, file)) files.truncate(file, bytes_to_keep(read_text(files, file, kLimit), last_step));
  file_ = files.append(file);
}

void MetricsLog::write(const Json& record) { file_->write(record.dump() + "\n"); }

void MetricsLog::sync() { file_->sync(); }

}  // namespace peerless
