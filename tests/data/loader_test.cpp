#include "peerless/data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "tests/data/shards.h"
#include "tests/support/faulty_files.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using testing::HasSubstr;

class Loading : public testing::Test {
 protected:
  TemporaryFolder folder;
  Documents documents = counting_documents(random_lengths(200, 30));

  void SetUp() override { write_shard(folder / "data" / "0.tok", documents); }

  DataConfig config(std::int64_t seq_len = 8) const {
    return {.seq_len = seq_len, .train = {{.path = (folder / "data").string()}}, .val = {}};
  }
  using Data = std::shared_ptr<const TrainingData>;
  static Data data(const DataConfig& config, std::int64_t global_batch = 12, std::int64_t seed = 1) {
    return std::make_shared<TrainingData>(config, tokenizer_of(100), seed, global_batch);
  }
  // Everything the processes of a world see in the steps [first, end), rows by their positions.
  static std::map<std::uint64_t, std::vector<std::int64_t>> rows(const Data& data, std::int64_t world,
                                                                 std::uint64_t first, std::uint64_t end,
                                                                 std::int64_t micro_batch = 2) {
    std::map<std::uint64_t, std::vector<std::int64_t>> rows;
    for (std::int64_t rank = 0; rank < world; ++rank) {
      const BatchShare share{
          .global_batch = data->global_batch(), .micro_batch = micro_batch, .rank = rank, .world = world};
      Loader loader(data, share, first * static_cast<std::uint64_t>(data->global_batch()));
      for (auto i = first * static_cast<std::uint64_t>(share.micro_batches());
           i < end * static_cast<std::uint64_t>(share.micro_batches()); ++i) {
        const auto batch = loader.next();
        for (std::int64_t row = 0; row < batch.batch; ++row) {
          const auto begin = batch.inputs.begin() + row * batch.seq_len;
          rows[batch.first_sample + static_cast<std::uint64_t>(row)] = {begin, begin + batch.seq_len};
        }
      }
    }
    return rows;
  }
};

TEST_F(Loading, AnEpochShowsEveryTokenOnceButTheTail) {
  const auto all = concatenated(documents);
  for (const std::int64_t seq_len : {1, 7, 8, 100}) {
    const auto set = data(config(seq_len), 1);
    EXPECT_EQ(set->samples(), (all.size() - 1) / static_cast<std::size_t>(seq_len));
    std::multiset<std::vector<std::int64_t>> seen, expected;
    for (std::uint64_t i = 0; i < set->samples(); ++i) {
      const auto batch = set->batch(i, 1);
      seen.insert(batch.targets);
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i) * seq_len + 1;
      expected.emplace(begin, begin + seq_len);
    }
    EXPECT_EQ(seen, expected) << seq_len;
  }
}

TEST_F(Loading, TargetsAreTheNextTokensAndABosIsMasked) {
  const auto batch = data(config())->batch(0, 50);
  ASSERT_EQ(batch.batch, 50);
  ASSERT_EQ(batch.inputs.size(), 400u);
  std::int64_t unmasked = 0, masked = 0;
  for (std::size_t i = 0; i < 400; ++i) {
    if (i % 8 != 7) {
      EXPECT_EQ(batch.targets[i], batch.inputs[i + 1]);
    }
    EXPECT_EQ(batch.mask[i], batch.targets[i] != kBos);
    unmasked += batch.mask[i];
    masked += !batch.mask[i];
  }
  EXPECT_EQ(batch.unmasked, unmasked);
  EXPECT_GT(masked, 0);
}

TEST_F(Loading, TheCountOfAStepIsKnownWithoutReadingIt) {
  write_shard(folder / "more" / "0.tok", counting_documents(random_lengths(90, 12, 2)));
  auto mixture = config();
  mixture.train.push_back({.path = (folder / "more").string(), .weight = 0.5});
  const auto set = data(mixture);
  for (std::uint64_t step = 0; step < 100; ++step) {
    EXPECT_EQ(set->unmasked_in_step(step * 12), set->batch(step * 12, 12).unmasked) << step;
  }
}

TEST_F(Loading, EveryNumberOfProcessesSeesTheSameRows) {
  const auto set = data(config());
  const auto one = rows(set, 1, 0, 10);
  EXPECT_EQ(one.size(), 120u);
  for (const std::int64_t world : {2, 3, 6}) EXPECT_EQ(rows(set, world, 0, 10), one) << world;
}

TEST_F(Loading, StartingAtAStepIsContinuingThere) {
  const auto set = data(config());
  const auto whole = rows(set, 1, 0, 20);
  for (const std::uint64_t first : {1, 7, 19}) {
    auto tail = whole;
    std::erase_if(tail, [&](const auto& row) { return row.first < first * 12; });
    EXPECT_EQ(rows(set, 2, first, 20), tail);
  }
}

TEST_F(Loading, AnyNumberOfProcessesGoesOnAfterAnyOther) {
  const auto set = data(config(), 24);
  const auto whole = rows(set, 1, 0, 6, 1);
  for (const std::int64_t before : {1, 2, 3, 4, 6, 8}) {
    for (const std::int64_t after : {1, 2, 3, 4, 6, 8}) {
      auto parts = rows(set, before, 0, 3, 1);
      parts.merge(rows(set, after, 3, 6, 1));
      EXPECT_EQ(parts, whole) << before << " processes, then " << after;
    }
  }
}

TEST_F(Loading, SourcesOfAMixtureKeepTheirWeights) {
  write_shard(folder / "more" / "0.tok", {{kBos, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99}});
  auto mixture = config();
  mixture.train.push_back({.path = (folder / "more").string(), .weight = 3});
  const auto batch = data(mixture)->batch(0, 4096);
  int second = 0;
  for (std::size_t row = 0; row < 4096; ++row)
    second += batch.targets[8 * row] == 99 && batch.targets[8 * row + 1] == 99;
  EXPECT_EQ(second, 3072);
}

TEST_F(Loading, TheFingerprintIsOfContentWeightsAndLength) {
  const auto fingerprint = data(config())->fingerprint();
  EXPECT_EQ(data(config(), 4, /*seed=*/2)->fingerprint(), fingerprint);
  EXPECT_NE(data(config(9))->fingerprint(), fingerprint);
  auto doubled = config();
  doubled.train.push_back(doubled.train[0]);
  EXPECT_NE(data(doubled)->fingerprint(), fingerprint);
  auto weighted = doubled;
  weighted.train[1].weight = 2;
  EXPECT_NE(data(weighted)->fingerprint(), data(doubled)->fingerprint());

  write_shard(folder / "copy" / "other-name.tok", documents);
  auto elsewhere = config();
  elsewhere.train[0].path = (folder / "copy").string();
  EXPECT_EQ(data(elsewhere)->fingerprint(), fingerprint) << "a moved data set is the same";
  documents[3][1] += 1;
  write_shard(folder / "changed" / "0.tok", documents);
  elsewhere.train[0].path = (folder / "changed").string();
  EXPECT_NE(data(elsewhere)->fingerprint(), fingerprint);
}

TEST_F(Loading, TheDescriptionNamesEachSource) {
  const auto lines = data(config())->description();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], concat("train[0]: ", config().train[0].path, ": weight 1, ", data(config())->tokens(),
                             " tokens in 1 shards, digest ", TokenSource(config().train[0].path).digest().hex()));
}

TEST_F(Loading, TheDescriptionKeepsTheOrderOfTheSources) {
  auto many = config();
  many.train.resize(12, many.train[0]);
  const auto lines = data(many)->description();
  ASSERT_EQ(lines.size(), 12u);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_TRUE(lines[i].starts_with(concat("train[", i, "]: "))) << lines[i];
}

TEST_F(Loading, TooFewTokensForABatchAreRefused) {
  write_shard(folder / "small" / "0.tok", counting_documents({30}));
  auto small = config();
  small.train[0].path = (folder / "small").string();
  EXPECT_EQ(complaint(ExitCode::data, [&] { data(small, 4); }),
            "data.train: 30 tokens make 3 samples of seq_len 8; one global batch needs 4 (33 tokens)");
  small.seq_len = 30;
  EXPECT_EQ(complaint(ExitCode::data, [&] { data(small, 1); }),
            (folder / "small").string() + ": 30 tokens; a sample of seq_len 30 needs 31");
  small.seq_len = 29;
  EXPECT_EQ(data(small, 1)->samples(), 1u);
}

TEST_F(Loading, AnotherTokenizerIsRefused) {
  EXPECT_THAT(complaint(ExitCode::config, [&] { TrainingData(config(), tokenizer_of(50), 1, 1); }),
              HasSubstr("data: made with the tokenizer "));
}

TEST_F(Loading, ABadTokenComesOutOfNext) {
  documents[50][1] = 100;
  write_shard(folder / "bad" / "0.tok", documents);
  auto bad = config();
  bad.train[0].path = (folder / "bad").string();
  const auto set = data(bad);
  Loader loader(set, {.global_batch = 12, .micro_batch = 12}, 0);
  EXPECT_THAT(complaint(ExitCode::data,
                        [&] {
                          for (int i = 0; i < 100; ++i) loader.next();
                        }),
              HasSubstr("has the id 100, outside the vocabulary of 100 tokens"));
  EXPECT_THAT(complaint(ExitCode::data, [&] { loader.next(); }), HasSubstr("has the id 100")) << "and again";
}

TEST_F(Loading, DocumentsThatBeginWithoutBosAreRefused) {
  documents[50][0] = 5;
  write_shard(folder / "bad" / "0.tok", documents);
  auto bad = config();
  bad.train[0].path = (folder / "bad").string();
  EXPECT_THAT(complaint(ExitCode::data, [&] { data(bad)->batch(0, 400); }), HasSubstr("bos tokens, but "));
}

TEST_F(Loading, ProcessesThatCannotShareTheStepAreRefused) {
  const auto set = data(config());
  EXPECT_EQ(complaint(ExitCode::config, [&] { Loader(set, {.global_batch = 12, .micro_batch = 2, .world = 4}, 0); }),
            "the number of processes (4) must divide the micro-batches of a step: train.global_batch_size / "
            "train.micro_batch_size = 12 / 2 = 6");
}

TEST_F(Loading, ALoaderMayGoAtAnyTime) {
  const auto set = data(config());
  for (int taken = 0; taken < 8; ++taken) {
    Loader loader(set, {.global_batch = 12, .micro_batch = 2}, 0);
    for (int i = 0; i < taken; ++i) loader.next();
  }
}

// From some read on, the disk hangs until it is let go.
class HangingDisk {
 public:
  FaultyFiles files{disk()};
  void hang_at(int number) {
    files.arm([this, number](const Operation& operation) {
      std::unique_lock lock(mutex_);
      hangs_ = operation.number >= number;
      changed_.notify_all();
      changed_.wait(lock, [&] { return operation.number < number || free_; });
    });
  }
  void wait_until_it_hangs() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return hangs_; });
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    free_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hangs_ = false, free_ = false;
};

TEST_F(Loading, WhereTheDiskHangsABatchStandsInForAStop) {
  HangingDisk disk;
  const auto set = std::make_shared<TrainingData>(config(), tokenizer_of(100), 1, 12, disk.files);
  disk.hang_at(1);
  Loader loader(set, {.global_batch = 12, .micro_batch = 2}, 0);
  disk.wait_until_it_hangs();
  const auto batch = loader.next([] { return true; });
  EXPECT_TRUE(batch.stands_in);
  EXPECT_EQ(batch.inputs.size(), 2u * 8);
  EXPECT_EQ(batch.mask, std::vector<std::uint8_t>(2 * 8, 0));
  disk.let_go();
  const auto real = loader.next([] { return true; });
  EXPECT_FALSE(real.stands_in);
  EXPECT_EQ(real.inputs, set->batch(0, 2).inputs) << "nothing was left out";
}

TEST_F(Loading, WhereTheDiskHangsAWaitThatIsLongIsToldOnce) {
  HangingDisk disk;
  const auto set = std::make_shared<TrainingData>(config(), tokenizer_of(100), 1, 12, disk.files);
  disk.hang_at(1);
  Loader loader(set, {.global_batch = 12, .micro_batch = 2}, 0, std::chrono::milliseconds(10));
  testing::internal::CaptureStderr();
  EXPECT_TRUE(loader.next([asked = 0]() mutable { return ++asked == 3; }).stands_in);
  const auto told = testing::internal::GetCapturedStderr();
  EXPECT_THAT(told, testing::EndsWith("warning: no training data for 0 s: does the disk hang? Still waiting\n"));
  EXPECT_EQ(std::ranges::count(told, '\n'), 1);
  disk.let_go();
}

TEST_F(Loading, ALoaderMayGoWhileTheDiskHangs) {
  HangingDisk disk;
  auto set = std::make_shared<const TrainingData>(config(), tokenizer_of(100), 1, 12, disk.files);
  disk.hang_at(1);
  std::optional<Loader> loader(std::in_place, set, BatchShare{.global_batch = 12, .micro_batch = 2}, 0);
  disk.wait_until_it_hangs();
  loader.reset();
  EXPECT_GT(set.use_count(), 1) << "its thread still reads";
  disk.let_go();
  while (set.use_count() > 1) std::this_thread::yield();
}

TEST_F(Loading, ADiskThatFailsComesOutOfNext) {
  FaultyFiles files(disk());
  const auto set = std::make_shared<TrainingData>(config(), tokenizer_of(100), 1, 12, files);
  files.arm(fail_from(1, EIO));
  Loader loader(set, {.global_batch = 12, .micro_batch = 2}, 0);
  EXPECT_EQ(complaint(ExitCode::io, [&] { loader.next(); }),
            (folder / "data" / "0.tok").string() + ": cannot read: Input/output error");
}

TEST_F(Loading, TheTimeThatNextWaitsIsCounted) {
  const auto set = data(config());
  Loader loader(set, {.global_batch = 12, .micro_batch = 2}, 0);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) loader.next();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  EXPECT_GT(loader.wait_seconds(), 0);
  EXPECT_LE(loader.wait_seconds(), elapsed.count());
}

}  // namespace
}  // namespace peerless
