// What a user can do wrong, and what the program says to it: one line, the right exit code, nothing lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/small_job.h"

namespace peerless {
namespace {

using test::Outcome;
using test::SmallJob;
using testing::HasSubstr;

class BadInput : public testing::Test {
 protected:
  SmallJob job;

  static void expect(const Outcome& outcome, int code, const std::string& what) {
    EXPECT_EQ(outcome.code, code) << outcome;
    EXPECT_THAT(outcome.err, HasSubstr(what));
  }
  void overwrite(const std::string& file, std::size_t at, const std::string& bytes) const {
    auto all = test::content(job.folder() / file);
    all.replace(at, bytes.size(), bytes);
    test::write(job.folder() / file, all);
  }
};

TEST_F(BadInput, InTheConfig) {
  expect(job.train("a", {"train.max_stepz=3"}), 78,
         "CONFIG: command line: train.max_stepz: unknown key; did you mean 'max_steps'?");
  expect(job.train("a", {"model.layers.0.ffw.num_experts=63"}), 78, "num_experts (63) must be a square");
  expect(job.train("a", {"model.layers.0.ffw.top_k=9"}), 78, "top_k (9) must not exceed the 8 sub-keys of each half");
  expect(job.train("a", {"train.micro_batch_size=3"}), 78, "micro_batch_size (3) must divide global_batch_size (8)");
  expect(job.train("a", {"checkpoint.keep_last=1"}), 78, "checkpoint.keep_last: must be >= 2, got 1");
  expect(job.train("a", {"device=cuda"}), 78, "device: cuda was asked for, but there is no GPU");
  expect(job.run({"train", "--config", "absent.yaml"}), 66, "absent.yaml");
  expect(job.run({"train", "--confg", "run.yaml"}), 64, "USAGE");
  EXPECT_FALSE(std::filesystem::exists(job.folder() / "runs" / "a" / "checkpoints"));
}

TEST_F(BadInput, InTheData) {
  expect(job.train("a", {"data.train=[{path: nowhere}]"}), 66, "nowhere");
  expect(job.train("a", {"train.global_batch_size=100000"}), 65, "100000");
  const auto shard = test::content(job.folder() / "train" / "00000.tok");
  overwrite("train/00000.tok", 0, "XXXX");
  expect(job.train("b"), 65, "train/00000.tok");
  test::write(job.folder() / "train" / "00000.tok", shard.substr(0, shard.size() / 2));
  expect(job.train("c"), 65, "train/00000.tok");
  test::write(job.folder() / "empty.jsonl", "");
  expect(job.run({"data", "prepare", "--tokenizer", "byte", "--out", "none", "empty.jsonl"}), 65,
         "no documents to train on");
  expect(job.run({"data", "prepare", "--tokenizer", "byte", "--out", "train", "text.jsonl"}), 73, "train");
}

TEST_F(BadInput, InTheTokenizer) {
  test::write(job.folder() / "broken.model", "this is no model");
  expect(job.train("a", {"tokenizer={kind: sentencepiece, model: broken.model}"}), 65, "broken.model");
  expect(job.train("a", {"tokenizer={kind: sentencepiece, model: absent.model}"}), 66, "absent.model");
  const auto trained = job.run({"tokenizer", "train", "--vocab-size", "300", "--out", "other.model", "text.jsonl"});
  ASSERT_EQ(trained.code, 0) << trained;
  expect(job.train("a", {"tokenizer={kind: sentencepiece, model: other.model}"}), 78, "tokenizer");
}

TEST_F(BadInput, AtResume) {
  ASSERT_EQ(job.train("a", {"train.stop_at=10"}).code, 0);
  expect(job.train("a", {"model.d_model=32"}), 78, "model.d_model");
  expect(job.train("a", {"optim.lr=0.5"}), 78, "optim.lr");
  expect(job.train("a", {"seed=2"}), 78, "seed");
  expect(job.train("a", {"--resume", "never"}), 73, "already holds a run");

  test::write(job.folder() / "more.jsonl", "{\"text\": \"one more document, of no great length, but a document\"}\n");
  ASSERT_EQ(job.run({"data", "prepare", "--tokenizer", "byte", "--out", "train2", "text.jsonl", "more.jsonl"}).code, 0);
  std::filesystem::rename(job.folder() / "train", job.folder() / "train1");
  std::filesystem::rename(job.folder() / "train2", job.folder() / "train");
  expect(job.train("a"), 78, "--allow-data-change");
  const auto allowed = job.train("a", {"--allow-data-change", "train.stop_at=12"});
  EXPECT_EQ(allowed.code, 0) << allowed;

  const auto overridden =
      job.train("a", {"--allow-data-change", "--override", "optim.lr", "optim.lr=0.002", "train.stop_at=14"});
  EXPECT_EQ(overridden.code, 0) << overridden;
  EXPECT_THAT(overridden.err, HasSubstr("changed since the checkpoint: optim.lr: 0.001 -> 0.002"));
}

TEST_F(BadInput, InTheRunsFolder) {
  std::filesystem::create_directories(job.of_run("a"));
  test::write(job.of_run("a") / "thesis.txt", "mine");
  expect(job.train("a"), 73, "holds 'thesis.txt', and no run of ours");
  EXPECT_EQ(test::content(job.of_run("a") / "thesis.txt"), "mine");
}

TEST_F(BadInput, InACheckpoint) {
  ASSERT_EQ(job.train("a").code, 0);
  const std::string newest = "runs/a/checkpoints/step-000000000040";
  std::filesystem::path weights;
  for (const auto& entry : std::filesystem::directory_iterator(job.folder() / newest))
    if (entry.path().extension() == ".safetensors") weights = std::filesystem::relative(entry.path(), job.folder());
  auto bytes = test::content(job.folder() / weights);
  bytes[bytes.size() / 2] ^= 1;
  test::write(job.folder() / weights, bytes);
  expect(job.run({"checkpoint", "verify", newest}), 65, weights.string());
  const auto resumed = job.train("a");  // goes back to step 30 and says so
  EXPECT_EQ(resumed.code, 0) << resumed;
  EXPECT_THAT(resumed.err, HasSubstr("step-000000000040"));
  EXPECT_THAT(resumed.err, HasSubstr("resuming from runs/a/checkpoints/step-000000000030"));
}

TEST_F(BadInput, NumbersThatAreNoneAreSkippedAndThenEndTheRun) {
  const auto outcome = job.train("a", {"optim.lr=1e30", "train.max_skipped_steps=3", "checkpoint.every_steps=1"});
  expect(outcome, 80, "DIVERGED");
  EXPECT_THAT(outcome.err, HasSubstr("was not finite in 3 steps in a row"));
  EXPECT_THAT(test::content(job.of_run("a") / "status.json"), HasSubstr("\"code\":80"));
  // Steps that were skipped left no trace but the counters.
  const auto diff = job.run({"checkpoint", "ls", "runs/a"});
  EXPECT_EQ(diff.code, 0) << diff;
}

}  // namespace
}  // namespace peerless
