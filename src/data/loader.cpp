#include "peerless/data/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "peerless/base/error.h"
#include "peerless/base/log.h"

namespace peerless {
namespace {

constexpr std::size_t kPrefetched = 4;    // micro-batches that wait at most
constexpr std::chrono::seconds kHang{1};  // a micro-batch takes no longer, where the disk works
constexpr std::chrono::milliseconds kBetweenQuestions{100};

std::uint64_t samples_in(const TokenSource& source, std::int64_t seq_len) {
  return (source.tokens() - 1) / static_cast<std::uint64_t>(seq_len);
}

}  // namespace

// ---- the data ------------------------------------------------------------------------------------------------------

TrainingData::TrainingData(const DataConfig& config, const TokenizerInfo& tokenizer, std::int64_t seed,
                           std::int64_t global_batch, const Files& files)
    : config_(config), seq_len_(config.seq_len), global_batch_(global_batch) {
  std::vector<SampleOrder::Source> sources;
  for (const auto& source : config.train) {
    sources_.push_back(std::make_unique<TokenSource>(source.path, files));
    sources_.back()->expect(tokenizer);
    sources.push_back({samples_in(*sources_.back(), seq_len_), source.weight});
    if (sources.back().samples == 0) {
      throw Error(ExitCode::data, source.path, ": ", sources_.back()->tokens(), " tokens; a sample of seq_len ",
                  seq_len_, " needs ", seq_len_ + 1);
    }
  }
  if (samples() < static_cast<std::uint64_t>(global_batch)) {
    throw Error(ExitCode::data, "data.train: ", tokens(), " tokens make ", samples(), " samples of seq_len ", seq_len_,
                "; one global batch needs ", global_batch, " (", global_batch * seq_len_ + 1, " tokens)");
  }
  order_ = std::make_unique<SampleOrder>(std::move(sources), seed);
}

std::uint64_t TrainingData::tokens() const {
  std::uint64_t sum = 0;
  for (const auto& source : sources_) sum += source->tokens();
  return sum;
}

std::uint64_t TrainingData::samples() const {
  std::uint64_t sum = 0;
  for (const auto& source : sources_) sum += samples_in(*source, seq_len_);
  return sum;
}

std::int64_t TrainingData::unmasked(const SampleId& id) const {
  const auto& source = *sources_[id.source];
  if (!source.tokenizer().bos) return seq_len_;
  const auto length = static_cast<std::uint64_t>(seq_len_);
  return seq_len_ - static_cast<std::int64_t>(source.documents_in(id.sample * length + 1, length));
}

std::int64_t TrainingData::unmasked_in_step(std::uint64_t first) const {
  const auto count = static_cast<std::uint64_t>(global_batch_);
  std::int64_t sum = 0;
  for (auto position = first; position < first + count; ++position) sum += unmasked((*order_)(position));
  return sum;
}

void TrainingData::add_row(const SampleId& id, Batch& batch) const {
  const auto& source = *sources_[id.source];
  const auto bos = source.tokenizer().bos;
  const auto length = static_cast<std::uint64_t>(seq_len_);
  std::vector<std::int64_t> tokens(length + 1);
  source.copy(id.sample * length, tokens);
  batch.inputs.insert(batch.inputs.end(), tokens.begin(), tokens.end() - 1);
  batch.targets.insert(batch.targets.end(), tokens.begin() + 1, tokens.end());
  std::int64_t counted = 0;
  for (std::size_t i = 1; i <= length; ++i) {
    const bool counts = !bos || tokens[i] != *bos;
    batch.mask.push_back(counts);
    counted += counts;
  }
  if (counted != unmasked(id)) {  // the loss would be divided by a wrong number
    throw Error(ExitCode::data, source.path(), ": sample ", id.sample, " has ", seq_len_ - counted, " bos tokens, but ",
                seq_len_ - unmasked(id), " documents begin in it");
  }
  batch.unmasked += counted;
}

Batch TrainingData::batch(std::uint64_t first, std::int64_t count) const {
  Batch batch{.batch = count, .seq_len = seq_len_, .first_sample = first};
  for (auto* const values : {&batch.inputs, &batch.targets})
    values->reserve(static_cast<std::size_t>(count * seq_len_));
  batch.mask.reserve(static_cast<std::size_t>(count * seq_len_));
  for (std::int64_t i = 0; i < count; ++i) add_row((*order_)(first + static_cast<std::uint64_t>(i)), batch);
  return batch;
}

std::vector<std::string> TrainingData::description() const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const auto& source = *sources_[i];
    lines.push_back(concat("train[", i, "]: ", config_.train[i].path, ": weight ", config_.train[i].weight, ", ",
                           source.tokens(), " tokens in ", source.shards().size(), " shards, digest ",
                           source.digest().hex()));
  }
  return lines;
}

Digest TrainingData::fingerprint() const {
  Hasher hasher;
  hasher.update(concat("seq_len ", seq_len_));
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    hasher.update(concat(" source ", sources_[i]->digest().hex(), " weight ", config_.train[i].weight));
  }
  return hasher.digest();
}

// ---- prefetching ---------------------------------------------------------------------------------------------------

class Loader::Prefetcher {
 public:
  Prefetcher(std::shared_ptr<const TrainingData> data, const BatchShare& share, std::uint64_t first,
             std::chrono::milliseconds late)
      : data_(std::move(data)), share_(share), late_(late), first_(first) {}

  static std::shared_ptr<Prefetcher> start(std::shared_ptr<const TrainingData> data, const BatchShare& share,
                                           std::uint64_t first, std::chrono::milliseconds late) {
    const auto prefetcher = std::make_shared<Prefetcher>(std::move(data), share, first, late);
    prefetcher->thread_ = std::thread([prefetcher] { prefetcher->run(); });
    return prefetcher;
  }

  void stop() {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    const bool ended = changed_.wait_for(lock, kHang, [&] { return ended_; });
    lock.unlock();
    ended ? thread_.join() : thread_.detach();
  }

  Batch next(const std::function<bool()>& stopped) {
    const auto begin = Clock::now();
    std::unique_lock lock(mutex_);
    const bool came = wait(lock, stopped);
    wait_seconds_ += std::chrono::duration<double>(Clock::now() - begin).count();
    if (!came) return stand_in();
    if (ready_.empty()) std::rethrow_exception(error_);
    Batch batch = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return batch;
  }

  double wait_seconds() const { return wait_seconds_; }

 private:
  using Clock = std::chrono::steady_clock;

  // False where `stopped` says so first.
  bool wait(std::unique_lock<std::mutex>& lock, const std::function<bool()>& stopped) {
    auto late = Clock::now() + late_;
    while (!changed_.wait_for(lock, kBetweenQuestions, [&] { return !ready_.empty() || error_; })) {
      if (stopped()) return false;
      if (Clock::now() < late) continue;
      late = Clock::time_point::max();
      log::warning("no training data for ", std::chrono::duration_cast<std::chrono::seconds>(late_).count(),
                   " s: does the disk hang? Still waiting");
    }
    return true;
  }

  Batch stand_in() const {
    const auto tokens = static_cast<std::size_t>(share_.micro_batch * data_->seq_len());
    return {.batch = share_.micro_batch,
            .seq_len = data_->seq_len(),
            .inputs = std::vector<std::int64_t>(tokens),
            .targets = std::vector<std::int64_t>(tokens),
            .mask = std::vector<std::uint8_t>(tokens),
            .stands_in = true};
  }

  void run() {
    try {
      while (make_room()) hand_over(make_next());
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  bool make_room() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopping_ || ready_.size() < kPrefetched; });
    return !stopping_;
  }

  Batch make_next() {
    Batch batch = data_->batch(share_.first_position(first_, micro_batch_), share_.micro_batch);
    if (++micro_batch_ == share_.micro_batches()) {
      first_ += static_cast<std::uint64_t>(share_.global_batch);
      micro_batch_ = 0;
    }
    return batch;
  }

  void hand_over(Batch batch) {
    {
      const std::lock_guard lock(mutex_);
      ready_.push_back(std::move(batch));
    }
    changed_.notify_all();
  }

  const std::shared_ptr<const TrainingData> data_;
  const BatchShare share_;
  const std::chrono::milliseconds late_;
  std::uint64_t first_;  // of the thread: sample that the step begins with of which it makes a micro-batch next
  std::int64_t micro_batch_ = 0;
  double wait_seconds_ = 0;  // of the caller
  std::thread thread_;

  std::mutex mutex_;  // for what follows
  std::condition_variable changed_;
  std::deque<Batch> ready_;
  std::exception_ptr error_;
  bool stopping_ = false, ended_ = false;
};

Loader::Loader(std::shared_ptr<const TrainingData> data, const BatchShare& share, std::uint64_t first,
               std::chrono::milliseconds late) {
  share.check();
  PEERLESS_CHECK(share.global_batch == data->global_batch(), share.global_batch, " and ", data->global_batch());
  prefetcher_ = Prefetcher::start(std::move(data), share, first, late);
}

Loader::~Loader() {
  if (prefetcher_) prefetcher_->stop();
}

Batch Loader::next(const std::function<bool()>& stopped) { return prefetcher_->next(stopped); }
double Loader::wait_seconds() const { return prefetcher_->wait_seconds(); }

}  // namespace peerless
