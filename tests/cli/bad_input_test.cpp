// What a user can do wrong, and what the program says to it: one line, the right exit code, nothing lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "peerless/data/token_shard.h"
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
         "FATAL CONFIG what=\"command line: train.max_stepz: unknown key; did you mean 'max_steps'?\"\n");
  expect(job.train("a", {"model.layers.0.ffw.num_experts=63"}), 78, "num_experts (63) must be a square");
  expect(job.train("a", {"model.layers.0.ffw.top_k=9"}), 78, "top_k (9) must not exceed the 8 sub-keys of each half");
  expect(job.train("a", {"train.micro_batch_size=3"}), 78, "micro_batch_size (3) must divide global_batch_size (8)");
  expect(job.train("a", {"checkpoint.keep_last=1"}), 78, "checkpoint.keep_last: must be >= 2, got 1");
  expect(
      job.train("a", {"optim.tables.update=muon"}), 78,
      "optim.tables.update: expected touched_rows or dense, got 'muon'; Muon is for hidden matrices, and the rows of "
      "a table are none");
  expect(job.train("a", {"optim.momentum=0.9"}), 78,
         "optim.momentum: unknown key of kind 'adamw'; it belongs to kind 'muon'");
  expect(job.train("a", {"optim.kind=muon", "optim.momentum=1"}), 78, "optim.momentum: must be >= 0 and < 1, got 1");
  expect(job.train("a", {"device=cuda"}), 78, "device: cuda was asked for, but there is no GPU");
  for (const char* name : {"../a", "/a", "a/.."})
    expect(job.train(name), 78, concat("run: name: must name a folder below run.dir, got '", name, "'"));
  expect(job.run({"train", "--config", "absent.yaml"}), 66, "absent.yaml");
  expect(job.run({"train", "--confg", "run.yaml"}), 64, "USAGE");
  EXPECT_FALSE(std::filesystem::exists(job.folder() / "runs" / "a" / "checkpoints"));
}

// `config check` says where, which rule, what it got.
TEST_F(BadInput, InABlockThatCannotBe) {
  const auto check = [&](std::vector<std::string> settings) {
    settings.insert(settings.begin(), {"config", "check", "--config", "run.yaml"});
    return job.run(settings);
  };
  const auto moe = [](const std::string& keys) { return "model.ffw={kind: moe, " + keys + "}"; };
  const std::string form =
      "a mixture is given by num_experts, top_k and d_expert, or by expansion, granularity and d_ff: all three of one";
  const std::pair<std::string, std::string> cases[]{
      {moe("num_experts: 4, top_k: 5, d_expert: 8"), "model.ffw: top_k (5) must not exceed num_experts (4)"},
      {moe("num_experts: 4, top_k: 0, d_expert: 8"), "model.ffw.top_k: must be >= 1, got 0"},
      {moe("num_experts: 4, top_k: 2"), form},
      {moe("num_experts: 4, top_k: 2, d_expert: 8, granularity: 2"), form},
      {moe("expansion: 8, granularity: 3, d_ff: 64"), "granularity (3) must divide d_ff (64)"},
      {moe("expansion: 65536, granularity: 2, d_ff: 64"), "must not exceed 65536 experts"},
      {moe("num_experts: 4, top_k: 1, d_expert: 8, normalize_top_k: true"), "the router would not learn"},
      {moe("num_experts: 4, top_k: 4, d_expert: 8, bias_update_rate: 0.1"), "bias_update_rate has no effect"},
      {moe("num_experts: 4, top_k: 2, d_expert: 8, route: random"), "model.ffw.route: expected learned or balanced"},
      {"model.ffw={kind: pkm, num_values: 60, top_k: 4}", "num_values (60) must be a square"},
      {"model.ffw={kind: pkm, num_values: 64, top_k: 9}", "top_k (9) must not exceed the 8 sub-keys of each half"},
      {"model.ffw={kind: peer, num_experts: 64, top_k: 4, d_key: 7}", "model.ffw.d_key: "},
      {"model.ffw={kind: hash_moe, num_experts: 0}", "model.ffw.num_experts: must be >= 1"},
      {"model.layers=[{at: [0], ffw: {kind: peer, num_experts: 64, top_k: 4, table: t}}, "
       "{at: [1], ffw: {kind: peer, num_experts: 256, top_k: 4, table: t}}]",
       "table 't' is used in two shapes: 64 x 32, and 256 x 32 in layer 1"},
      {"model.layers=[{at: [0], ffw: {kind: peer, num_experts: 64, top_k: 4, table: t}}, "
       "{at: [1], ffw: {kind: pkm, num_values: 64, top_k: 4, table: t}}]",
       "table 't' is used in two shapes: 64 x 32, and 64 x 16 in layer 1"},
      {"model.layers=[{at: [2], ffw: {kind: dense}}]", "layers.0.at: layer 2 does not exist: n_layers is 2"},
      {"optim={kind: muon, tables: {update: muon}}", "Muon is for hidden matrices, and the rows of a table are none"},
      {"parallel.expert=2", "parallel.expert has no effect: no layer is a mixture of experts"},
      {"model.ffw={kind: mixture}", "model.ffw.kind: expected dense, moe, hash_moe, pkm or peer, got 'mixture'"},
  };
  for (const auto& [setting, rule] : cases) {
    const auto outcome = check({"model.ffw={kind: dense}", setting});  // the later one wins
    expect(outcome, 78, rule);
    EXPECT_THAT(outcome.err, testing::StartsWith("FATAL CONFIG what=\"")) << setting;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome;
  }
}

TEST_F(BadInput, AVocabularyThatLacksTokens) {
  expect(job.train("a", {"model.vocab_size=200"}), 78,
         "model.vocab_size (200) must not be below the tokenizer's 258 tokens");
}

TEST_F(BadInput, InTheData) {
  expect(job.train("a", {"data.train=[{path: nowhere}]"}), 66, "what=\"nowhere: cannot open: No such file");
  expect(job.train("a", {"data.train=[{path: /dev/zero}]"}), 65, "what=\"/dev/zero: cannot open what is no regular");
  expect(job.train("a", {"train.global_batch_size=100000"}), 65, "; one global batch needs 100000 (1600001 tokens)");
  const auto file = job.folder() / "train" / "00000.tok";
  const auto shard = test::content(file);
  const auto with = [&](std::size_t at, const std::string& bytes) {
    test::write(file, shard);
    overwrite("train/00000.tok", at, bytes);
    return job.train("b");
  };
  expect(with(0, "XXXX"), 65, "train/00000.tok: not a token shard: expected it to begin with \\\"PLTOKENS\\\"");
  expect(with(8, "\x09"), 65, "train/00000.tok: expected format version 1, found 9: written by another peerless");
  expect(with(64, "\xff\xff"), 65, "train/00000.tok: damaged: ");
  test::write(file, shard.substr(0, shard.size() / 2));
  expect(job.train("c"), 65, "train/00000.tok: ");
  test::write(job.folder() / "empty.jsonl", "");
  expect(job.run({"data", "prepare", "--tokenizer", "byte", "--out", "none", "empty.jsonl"}), 65,
         "no documents to train on");
  expect(job.run({"data", "prepare", "--tokenizer", "byte", "--out", "train", "text.jsonl"}), 73, "train");
}

TEST_F(BadInput, ATokenThatIsNone) {
  const auto tokenizer = info_of(*open_tokenizer(ByteConfig{}));
  std::filesystem::create_directories(job.folder() / "odd");
  TokenShardWriter writer(disk(), job.folder() / "odd" / "0.tok", tokenizer);
  for (int i = 0; i < 60; ++i) writer.add(std::vector<TokenId>{256, 300, 65, 257}, 2);
  writer.finish();
  expect(job.train("a", {"data.train=[{path: odd}]"}), 65, "has the id 300, outside the vocabulary of 258 tokens");
}

TEST_F(BadInput, AnotherTokenizerAtResume) {
  const auto prepare = [&](const std::string& vocab_size) {
    for (const char* old : {"m", "sp"}) std::filesystem::remove_all(job.folder() / old);
    const auto trained = job.run({"tokenizer", "train", "--vocab-size", vocab_size, "--out", "m", "text.jsonl"});
    EXPECT_EQ(trained.code, 0) << trained;
    const auto prepared = job.run({"data", "prepare", "--tokenizer", "m", "--out", "sp", "text.jsonl"});
    EXPECT_EQ(prepared.code, 0) << prepared;
  };
  const auto train = [&] {
    return job.train("a", {"tokenizer={kind: sentencepiece, model: m}", "data.train=[{path: sp}]", "data.val=[]",
                           "eval={}", "train.stop_at=2"});
  };
  prepare("300");
  ASSERT_EQ(train().code, 0);
  prepare("301");
  expect(train(), 78, "; token ids would mean other texts");
}

TEST_F(BadInput, InTheTokenizer) {
  test::write(job.folder() / "broken.model", "this is no model");
  expect(job.train("a", {"tokenizer={kind: sentencepiece, model: broken.model}"}), 65, "broken.model");
  expect(job.train("a", {"tokenizer={kind: sentencepiece, model: absent.model}"}), 66, "absent.model");
  const auto trained = job.run({"tokenizer", "train", "--vocab-size", "300", "--out", "other.model", "text.jsonl"});
  ASSERT_EQ(trained.code, 0) << trained;
  const std::string other = "tokenizer={kind: sentencepiece, model: other.model}";
  expect(job.train("a", {other}), 78, "not with this run's ");
  const auto model = test::content(job.folder() / "other.model");
  test::write(job.folder() / "cut.model", model.substr(0, model.size() / 2));
  expect(job.train("a", {"tokenizer={kind: sentencepiece, model: cut.model}"}), 65, "cut.model");

  ASSERT_EQ(job.train("a", {"train.stop_at=2"}).code, 0);
  for (const char* verb : {"eval", "generate"})
    expect(job.run({verb, "--checkpoint", "runs/a", other}), 78,
           ", runs/a/checkpoints/step-000000000002 was trained with ");
}

TEST_F(BadInput, InWhatATrainedModelIsAsked) {
  ASSERT_EQ(job.train("a", {"train.stop_at=2"}).code, 0);
  expect(job.run({"eval", "--checkpoint", "runs/a", "model.rope_theta=7"}), 78,
         "model.rope_theta: is 10000 in the checkpoint, got 7; here it has no effect, or makes another model of it");
  expect(job.run({"eval", "--checkpoint", "runs/a", "optim.lr=7"}), 78, "optim.lr: is 0.001 in the checkpoint, got 7");
  ASSERT_EQ(job.train("n", {"train.stop_at=2", "data.val=[]", "eval.every_steps=100"}).code, 0);
  expect(job.run({"eval", "--checkpoint", "runs/n"}), 78, "data.val: is empty; name a validation set");
  expect(job.run({"eval", "--checkpoint", "runs/b"}), 66, "runs/b: no checkpoint here");
  test::write(job.folder() / "empty.txt", "");
  expect(job.run({"eval", "--checkpoint", "runs/a", "--text", "empty.txt"}), 65, "empty.txt: is empty");
  expect(job.run({"eval", "--checkpoint", "runs/a", "--text", "text.jsonl", "--per-token", "text.jsonl"}), 73,
         "text.jsonl: already there; remove it, or name another file");
  expect(job.run({"generate", "--checkpoint", "runs/a", "--temperature", "0"}), 64, "--temperature");
  expect(job.run({"generate", "--checkpoint", "runs/a", "--greedy", "--seed", "1"}), 64, "--greedy excludes --seed");
  expect(job.run({"generate", "--checkpoint", "runs/a", "eval.max_batches=3"}), 78, "here it has no effect");
}

TEST_F(BadInput, AFileWhereACheckpointIsAsked) {
  test::write(job.folder() / "model.pt", "PK\x03\x04");
  using Arguments = std::vector<std::string>;
  for (const auto& verb :
       {Arguments{"eval", "--checkpoint", "model.pt"}, Arguments{"generate", "--checkpoint", "model.pt"},
        Arguments{"checkpoint", "verify", "model.pt"}, Arguments{"checkpoint", "ls", "model.pt"},
        Arguments{"checkpoint", "reshard", "model.pt", "new"}, Arguments{"checkpoint", "diff", "model.pt", "model.pt"},
        Arguments{"checkpoint", "average", "model.pt", "--out", "new"}})
    expect(job.run(verb), 65, "model.pt: is a file, and no folder of checkpoints; name a run's folder");
  expect(job.train("a", {"--from", "model.pt"}), 65, "model.pt: is a file");
}

TEST_F(BadInput, AtResume) {
  ASSERT_EQ(job.train("a", {"train.stop_at=10"}).code, 0);
  expect(job.train("a", {"model.d_model=32"}), 78, "model.d_model");
  expect(job.train("a", {"optim.lr=0.5"}), 78, "optim.lr");
  EXPECT_THAT(test::content(job.of_run("a") / "status.json"),
              HasSubstr("\"code\":78,\"step\":10,\"max_steps\":40,\"durable\":10,"));
  expect(job.train("late", {"--from", "runs/a", "train.max_steps=10"}), 78,
         "the checkpoint to start from has done 10 steps, and this run ends at 10: nothing is left to train");
  expect(job.train("a", {"seed=2"}), 78, "seed");
  expect(job.train("a", {"--resume", "never"}), 73, "already holds a run");
  expect(job.train("a", {"--override", "optim.lrr"}), 78, "there is no key 'optim.lrr'; did you mean 'optim.lr'?");
  expect(job.train("a", {"data.train=[{path: train}, {path: val}]"}), 78, "--allow-data-change goes on all the same");
  expect(job.train("b", {"--resume", "runs/a/checkpoints/step-000000000010"}), 66,
         "runs/b: no run is here to go on with; --from begins a run with a checkpoint of another");
  EXPECT_FALSE(std::filesystem::exists(job.of_run("b")));
  ASSERT_EQ(job.train("b", {"train.stop_at=20"}).code, 0);
  expect(
      job.train("b", {"--resume", "runs/a/checkpoints/step-000000000010"}), 78,
      "runs/a/checkpoints/step-000000000010: is a checkpoint of another run than runs/b; --from begins a run with it");
  EXPECT_TRUE(std::filesystem::exists(job.of_run("b") / "checkpoints" / "step-000000000020"));

  test::write(job.folder() / "more.jsonl", "{\"text\": \"one more document, of no great length, but a document\"}\n");
  ASSERT_EQ(job.run({"data", "prepare", "--tokenizer", "byte", "--out", "train2", "text.jsonl", "more.jsonl"}).code, 0);
  std::filesystem::rename(job.folder() / "train", job.folder() / "train1");
  std::filesystem::rename(job.folder() / "train2", job.folder() / "train");
  expect(job.train("a"), 78, "--allow-data-change");
  const auto allowed = job.train("a", {"--allow-data-change", "train.stop_at=12"});
  EXPECT_EQ(allowed.code, 0) << allowed;

  const auto overridden =
      job.train("a", {"--allow-data-change", "--override", "optim[adamw].lr", "optim.lr=0.002", "train.stop_at=14"});
  EXPECT_EQ(overridden.code, 0) << overridden;
  EXPECT_THAT(overridden.err, HasSubstr("changed since the checkpoint: optim.lr: 0.001 -> 0.002"));
}

TEST_F(BadInput, OtherSourcesAtResume) {
  const auto train = [&](const std::string& sources) {
    return job.train("a", {"train.stop_at=2", "data.train=[" + sources + "]"});
  };
  ASSERT_EQ(train("{path: train, weight: 2}, {path: val}").code, 0);
  for (const char* other :
       {"{path: train, weight: 2}", "{path: val}, {path: train, weight: 2}", "{path: train, weight: 3}, {path: val}",
        "{path: train, weight: 2}, {path: val}, {path: val}"}) {
    SCOPED_TRACE(other);
    expect(train(other), 78, "data.train: is not what the checkpoint was trained on");
  }
  EXPECT_EQ(train("{path: ./train, weight: 2}, {path: val}").code, 0) << "what counts is what it holds";
}

TEST_F(BadInput, InTheRunsFolder) {
  std::filesystem::create_directories(job.of_run("a"));
  test::write(job.of_run("a") / "thesis.txt", "mine");
  expect(job.train("a"), 73, "holds 'thesis.txt', and no run of ours");
  EXPECT_EQ(test::content(job.of_run("a") / "thesis.txt"), "mine");
}

TEST_F(BadInput, ASecondProcessInTheRunsFolder) {
  const test::Process first = job.start("a", {"train.global_batch_size=256"});
  ASSERT_TRUE(first.prints("step 2/40"));
  expect(job.train("a"), 73, "what=\"runs/a: in use by process ");
  first.signal(SIGTERM);
  EXPECT_EQ(first.wait().code, 75);
  EXPECT_EQ(job.train("a", {"train.global_batch_size=256", "train.stop_at=39"}).code, 0);
}

// As on a file system whose locks do not reach other hosts, to which this process looked dead.
TEST_F(BadInput, ARunThatIsTakenOverEndsAndLeavesTheRestToTheOther) {
  const auto process = job.start("a", {"train.max_steps=1000000", "checkpoint.every_steps=5"});
  ASSERT_TRUE(process.prints("checkpoint of step 5 is durable"));
  test::write(job.of_run("a") / ".owner", "token machine a process of another host\n");
  expect(process.wait(), 73, "runs/a: taken over by a process of another host, to which this process looked dead");
  EXPECT_THAT(test::content(job.of_run("a") / "status.json"), HasSubstr("\"state\":\"running\""));
  EXPECT_TRUE(std::filesystem::exists(job.of_run("a") / ".owner"));
}

TEST_F(BadInput, InACheckpoint) {
  ASSERT_EQ(job.train("a").code, 0);
  ASSERT_EQ(job.train("whole").code, 0);
  const std::string newest = "runs/a/checkpoints/step-000000000040";
  std::filesystem::path weights;
  for (const auto& entry : std::filesystem::directory_iterator(job.folder() / newest))
    if (entry.path().extension() == ".safetensors") weights = std::filesystem::relative(entry.path(), job.folder());
  auto bytes = test::content(job.folder() / weights);
  bytes[bytes.size() / 2] ^= 1;
  test::write(job.folder() / weights, bytes);
  expect(job.run({"checkpoint", "verify", newest}), 65, newest + ": 1 checkpoint is not intact");
  const auto all = job.run({"checkpoint", "verify", "runs/a"});
  expect(all, 65, "runs/a: 1 checkpoint is not intact");
  EXPECT_THAT(all.out, HasSubstr(newest + "  damaged: " + weights.string() + ": changed since it was written"));
  EXPECT_THAT(all.out, HasSubstr("step-000000000030  intact, "));
  const auto checkpoints = job.of_run("whole") / "checkpoints";
  std::filesystem::copy(checkpoints / "step-000000000030", checkpoints / "step-000000000099",
                        std::filesystem::copy_options::recursive);
  expect(job.run({"checkpoint", "verify", "runs/whole/checkpoints/step-000000000099/"}), 65, "is not intact");
  EXPECT_THAT(job.run({"checkpoint", "ls", "runs/whole"}).out,
              HasSubstr("099: holds step 30, not the step of its name"));
  std::filesystem::remove_all(checkpoints / "step-000000000099");
  const auto resumed = job.train("a");  // goes back to step 30 and says so
  EXPECT_EQ(resumed.code, 0) << resumed;
  EXPECT_THAT(resumed.err, HasSubstr("step-000000000040"));
  EXPECT_THAT(resumed.err, HasSubstr("resuming from runs/a/checkpoints/step-000000000030"));
  EXPECT_THAT(resumed.err, HasSubstr("set aside as aside-step-000000000040, because the run goes on from step 30"));
  EXPECT_EQ(test::content(job.folder() / "runs/a/checkpoints/aside-step-000000000040" / weights.filename()), bytes);
  EXPECT_EQ(job.diff("a", "whole").out, "identical\n");
  EXPECT_EQ(job.metrics("a"), job.metrics("whole"));
}

TEST_F(BadInput, NumbersThatAreNoneAreSkippedAndThenEndTheRun) {
  const auto outcome = job.train("a", {"optim.lr=1e30", "train.max_skipped_steps=3", "checkpoint.every_steps=1"});
  expect(outcome, 80, "DIVERGED");
  EXPECT_THAT(outcome.err, HasSubstr("was not finite in 3 steps in a row"));
  EXPECT_THAT(test::content(job.of_run("a") / "status.json"), HasSubstr("\"code\":80"));
  EXPECT_THAT(test::content(job.of_run("a") / "log.txt"), HasSubstr("error: DIVERGED: step "));
  const auto match = outcome.err.rfind("what=\"step ") + std::string("what=\"step ").size();
  const auto last = std::to_string(std::stoi(outcome.err.substr(match)));
  expect(job.train("a", {"optim.lr=1e30", "train.max_skipped_steps=3", "train.stop_at=" + last}), 80, "DIVERGED");
  // Steps that were skipped left no trace but the counters.
  const auto steps = nlohmann::json::parse(job.run({"checkpoint", "ls", "--json", "runs/a"}).out);
  ASSERT_GE(steps.size(), 2u);
  const auto at = [&](std::size_t i) { return steps[i]["path"].get<std::string>(); };
  const auto diff = job.run({"checkpoint", "diff", "--json", at(0), at(1)});
  EXPECT_EQ(diff.code, 1) << diff;
  for (const auto& difference : nlohmann::json::parse(diff.out)["differences"]) {
    const auto line = difference.get<std::string>();
    EXPECT_TRUE(line.starts_with("step: ") || line.starts_with("tensor train.")) << line;
  }
}

}  // namespace
}  // namespace peerless
