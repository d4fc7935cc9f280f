#include "peerless/checkpoint/saver.h"

#include <utility>

#include "peerless/base/log.h"

namespace peerless {
namespace {

// Whether the next save may go better.
bool may_pass(const Error& error) { return error.code() == ExitCode::io; }

}  // namespace

Saver::Saver(Files& files, std::filesystem::path folder, Peers& peers, Options options)
    : files_(files),
      folder_(files, std::move(folder)),
      peers_(peers),
      options_(std::move(options)),
      last_save_(options_.last_save),
      thread_([this] { work(); }) {}

Saver::~Saver() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Saver::begin(State state, CheckpointInfo info) {
  std::unique_lock lock(mutex_);
  wait(lock);
  job_ = Job{std::move(state), std::move(info)};
  changed_.notify_all();
}

bool Saver::wait() {
  std::unique_lock lock(mutex_);
  return wait(lock);
}

void Saver::finish() {
  std::unique_lock lock(mutex_);
  if (!wait(lock)) throw SharedError(*last_failure_);
}

void Saver::drain() {
  std::unique_lock lock(mutex_);
  wait_for_job(lock);
}

void Saver::idle() {
  std::unique_lock lock(mutex_);
  wait_for_job(lock);
  changed_.wait(lock, [this] { return !pruning_; });
}

bool Saver::busy() const {
  const std::lock_guard lock(mutex_);
  return job_.has_value();
}

bool Saver::failed() const {
  const std::lock_guard lock(mutex_);
  return error_ != nullptr;
}

Saver::Seconds Saver::last_save() const {
  const std::lock_guard lock(mutex_);
  return last_save_;
}

bool Saver::wait(std::unique_lock<std::mutex>& lock) {
  wait_for_job(lock);
  if (error_) std::rethrow_exception(error_);
  return failures_ == 0;
}

// A disk that hangs is nothing that an error would tell of.
void Saver::wait_for_job(std::unique_lock<std::mutex>& lock) {
  const auto begin = std::chrono::steady_clock::now();
  for (auto late = options_.late; !changed_.wait_until(lock, begin + late, [this] { return !job_; }); late *= 2)
    log::warning("step ", job_->info.step, ": waits for its checkpoint since ",
                 std::chrono::duration_cast<std::chrono::seconds>(late).count(), " s; if it stays so, a disk hangs");
}

// ---- on the saver's thread ------------------------------------------------------------------------------------------

void Saver::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return job_ || ending_; });
    if (!job_) return;
    lock.unlock();
    std::exception_ptr error;
    std::optional<std::set<std::int64_t>> keep;
    try {
      if (save(*job_) && peers_.rank() == 0) keep = options_.keep();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    error_ = error;
    job_.reset();
    pruning_ = keep.has_value();
    changed_.notify_all();
    if (!keep) continue;
    lock.unlock();
    prune(*keep);
    lock.lock();
    pruning_ = false;
    changed_.notify_all();
  }
}

// Whether it is durable.
bool Saver::save(const Job& job) {
  const auto begin = std::chrono::steady_clock::now();
  const bool durable =
      try_to_save(job, begin, "trying once more") || try_to_save(job, begin, "the run goes on without it");
  const std::lock_guard lock(mutex_);
  last_save_ = std::chrono::steady_clock::now() - begin;
  failures_ = durable ? 0 : failures_ + 1;
  if (failures_ >= options_.patience)
    throw SharedError(last_failure_->code(), failures_, " saves in a row have failed: ", last_failure_->what());
  return durable;
}

// No other process waits for that: to verify what is kept may take longer than an exchange may.
void Saver::prune(const std::set<std::int64_t>& keep) {
  try {
    folder_.prune(options_.keep_last, keep, options_.may_commit);
  } catch (const std::exception& error) {
    log::warning("old checkpoints stay: ", error.what());
  }
}

bool Saver::try_to_save(const Job& job, std::chrono::steady_clock::time_point begin, const char* what_then) {
  const std::int64_t step = job.info.step;
  try {
    save_together(peers_, files_, folder_.path(), job.state, job.info, options_.may_commit);
  } catch (const Error& error) {
    if (!may_pass(error)) throw;
    const std::lock_guard lock(mutex_);
    last_failure_.emplace(error.code(), "the checkpoint of step ", step, " is not saved: ", error.what());
    if (peers_.rank() == 0) log::warning(last_failure_->what(), "; ", what_then);
    return false;
  }
  if (peers_.rank() != 0) return true;
  options_.on_durable(step, std::chrono::steady_clock::now() - begin);
  folder_.trust(step);
  return true;
}

}  // namespace peerless
