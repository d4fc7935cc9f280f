#include "peerless/train/patient_log.h"

#include <utility>

#include "peerless/base/log.h"

namespace peerless {
namespace {

constexpr std::size_t kMostKept = std::size_t{64} << 20;

}  // namespace

PatientLog::PatientLog(Files& files, std::filesystem::path file) : files_(files), file_(std::move(file)) {
  open_ = files_.append(file_);
  size_ = files_.info(file_)->size;
}

void PatientLog::write(std::string_view text) {
  const auto is_full = [&] { return pending_.size() + text.size() > kMostKept; };
  if (is_full()) attempt([this] { flush(); });
  if (is_full()) {
    ++dropped_;
    return;
  }
  pending_ += text;
  attempt([this] { flush(); });
}

void PatientLog::sync() {
  attempt([this] {
    flush();
    open_->sync();
  });
}

template <class Action>
void PatientLog::attempt(const Action& action) {
  try {
    action();
    const bool failed_before = std::exchange(failing_, false);
    if (const auto dropped = std::exchange(dropped_, 0); dropped > 0)
      log::warning(file_, ": can be written again; ", dropped, " records were dropped");
    else if (failed_before)
      log::info(file_, ": can be written again");
  } catch (const IoError& error) {
    open_.reset();
    if (!std::exchange(failing_, true))
      log::warning(error.what(), "; what belongs there is kept in memory until that goes again");
  }
}

void PatientLog::flush() {
  if (!open_) {
    files_.truncate(file_, size_);  // half a record may have arrived
    open_ = files_.append(file_);
  }
  open_->write(pending_);
  size_ += pending_.size();
  pending_.clear();
}

}  // namespace peerless
