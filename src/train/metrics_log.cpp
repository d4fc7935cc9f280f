#include "peerless/train/metrics_log.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace peerless {
namespace {

constexpr const char* kName = "metrics.jsonl";

// The whole lines of a file, read in pieces.
class Lines {
 public:
  explicit Lines(std::unique_ptr<InputFile> file) : file_(std::move(file)), left_(file_->size()) {}

  std::optional<std::string_view> next() {  // as long as the call after it does not come
    for (;;) {
      const auto end = buffer_.find('\n', begin_);
      if (end != std::string::npos) {
        const auto begin = std::exchange(begin_, end + 1);
        return std::string_view(buffer_).substr(begin, end - begin);
      }
      if (left_ == 0) return std::nullopt;
      read_on();
    }
  }

 private:
  void read_on() {
    buffer_.erase(0, std::exchange(begin_, 0));
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(left_, 1 << 20));
    const auto before = buffer_.size();
    buffer_.resize(before + piece);
    file_->read(file_->size() - left_, std::as_writable_bytes(std::span(buffer_).subspan(before)));
    left_ -= piece;
  }

  std::unique_ptr<InputFile> file_;
  std::uint64_t left_;
  std::string buffer_;
  std::size_t begin_ = 0;
};

// The whole lines, from the start, whose records are of steps up to `last_step`.
struct Kept {
  std::uint64_t bytes = 0;
  bool evaluated = false;  // the last of them is an evaluation at `last_step`
};

Kept to_keep(Lines lines, std::int64_t last_step) {
  Kept kept;
  for (auto line = lines.next(); line; line = lines.next()) {
    const auto record = Json::parse(*line, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object() || !record.contains("step") || record["step"] > last_step) break;
    kept = {kept.bytes + line->size() + 1, record["step"] == last_step && record.contains("eval")};
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
  const auto file = folder / kName;
  if (exists(files, file)) {
    const Kept kept = to_keep(Lines(files.open(file)), last_step);
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
