#include "peerless/train/metrics_log.h"

namespace peerless {
namespace {

constexpr const char* kName = "metrics.jsonl";

// The whole lines, from the start, whose records are of steps up to `last_step`.
struct Kept {
  std::uint64_t bytes = 0;
  bool evaluated = false;  // the last of them is an evaluation at `last_step`
};

Kept to_keep(std::string_view content, std::int64_t last_step) {
  Kept kept;
  for (std::size_t end = content.find('\n'); end != std::string_view::npos; end = content.find('\n', kept.bytes)) {
    const auto record = Json::parse(content.substr(kept.bytes, end - kept.bytes), nullptr, /*allow_exceptions=*/false);
    if (!record.is_object() || !record.contains("step") || record["step"] > last_step) break;
    kept = {end + 1, record["step"] == last_step && record.contains("eval")};
  }
  return kept;
}

// The numbers in `value`, tagged by their place.
void collect(const std::string& tag, const Json& value, Scalars& scalars) {
  if (value.is_number()) scalars.emplace_back(tag, value.get<double>());
  if (!value.is_object()) return;
  for (const auto& [key, part] : value.items()) collect(concat(tag, "/", key), part, scalars);
}

Scalars scalars_of(const Json& record) {
  Scalars scalars;
  for (const auto& [key, value] : record.items()) {
    if (key == "perf")
      collect("perf", value, scalars);
    else if (key == "eval")
      collect("val", value, scalars);
    else if (key != "step")
      collect("train/" + key, value, scalars);
  }
  return scalars;
}

}  // namespace

MetricsLog::MetricsLog(Files& files, const std::filesystem::path& folder, std::int64_t last_step)
    : events_(files, folder, last_step) {
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 32;
  const auto file = folder / kName;
  if (exists(files, file)) {
    const Kept kept = to_keep(read_text(files, file, kLimit), last_step);
    files.truncate(file, kept.bytes);
    evaluated_ = kept.evaluated;
  }
  file_.emplace(files, file);
}

void MetricsLog::write(const Json& record) {
  file_->write(record.dump() + "\n");
  events_.write(record["step"], scalars_of(record));
}

void MetricsLog::sync() {
  file_->sync();
  events_.sync();
}

}  // namespace peerless
