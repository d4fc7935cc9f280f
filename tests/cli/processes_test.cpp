// Training with several processes of this machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "peerless/base/text.h"
#include "tests/cli/several.h"

namespace peerless {
namespace {

using test::Process;
using test::Settings;
using testing::AnyOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class Processes : public test::Several {};

struct Variant {
  std::string name;
  Settings settings;
};
const std::vector<Variant> kVariants{
    {"peer", {}},
    {"dense", {"model.layers=[]"}},
    {"peer_dense_updates", {"optim.tables.update=dense"}},
    {"moe",
     {"model.layers=[]",
      "model.ffw={kind: moe, num_experts: 6, top_k: 2, d_expert: 8, shared_experts: 1, bias_update_rate: 0.01}"}},
    {"pkm", {"model.layers.0.ffw={kind: pkm, num_values: 64, heads: 2, top_k: 4, d_key: 8, gate: silu}"}},
    {"shared_table_and_muon",
     {"model.ffw={kind: peer, num_experts: 64, heads: 2, top_k: 4, d_key: 8, table: t}", "model.layers=[]",
      "optim.kind=muon"}},
};

class EveryKind : public Processes, public testing::WithParamInterface<Variant> {
 protected:
  Settings with(Settings more) const {
    more.insert(more.end(), GetParam().settings.begin(), GetParam().settings.end());
    more.insert(more.end(), {"train.micro_batch_size=2", "train.max_steps=12"});
    return more;
  }
};
INSTANTIATE_TEST_SUITE_P(Of, EveryKind, testing::ValuesIn(kVariants), [](const auto& test) { return test.param.name; });

TEST_P(EveryKind, ElasticHasTheSameBitsOnAnyNumberOfThem) {
  const auto elastic = with({"train.determinism=elastic"});
  for (const int processes : {1, 2, 4}) expect_all(train(processes, "on" + std::to_string(processes), elastic), 0);
  expect_same_runs("on1", "on2");
  expect_same_runs("on1", "on4");
}

TEST_P(EveryKind, ZeroHasTheSameBits) {
  for (const int processes : {1, 2, 4})
    expect_all(
        train(processes, "zero" + std::to_string(processes), with({"train.determinism=elastic", "parallel.zero=1"})),
        0);
  expect_all(train(4, "all4", with({"train.determinism=elastic"})), 0);
  for (const auto* const zero : {"zero2", "zero4", "all4"}) {
    const auto diff = job.run({"checkpoint", "diff", "runs/zero1", std::string("runs/") + zero});
    EXPECT_EQ(diff.out, "identical\n") << diff;
    EXPECT_EQ(job.metrics("zero1"), job.metrics(zero));
  }
}

// One process, then four, then two, of one run.
TEST_P(EveryKind, ElasticGoesOnWithAnotherNumberOfThem) {
  const auto elastic = [&](const Settings& more) {
    auto all = with(more);
    all.push_back("train.determinism=elastic");
    return all;
  };
  expect_all(train(1, "whole", elastic({})), 0);
  expect_all(train(1, "parts", elastic({"train.stop_at=3"})), 0);
  expect_all(train(4, "parts", elastic({"train.stop_at=6"})), 0);
  expect_all(train(4, "parts", elastic({"train.stop_at=8", "parallel.zero=1"})), 0);
  expect_all(train(2, "parts", elastic({})), 0);
  expect_same_runs("whole", "parts");
}

// Those of all steps in metrics.jsonl.
std::vector<double> losses(const std::string& metrics) {
  std::vector<double> all;
  std::istringstream lines(metrics);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("\"lr\":") != std::string::npos) all.push_back(std::stod(line.substr(line.find("\"loss\":") + 7)));
  }
  return all;
}
double last_loss(const std::string& metrics) { return losses(metrics).back(); }

// What all processes of all starts of a run wrote of its samples, by step and position; a later start wins.
std::map<std::pair<int, int>, std::string> samples_of(const std::filesystem::path& run) {
  std::map<std::pair<int, int>, std::string> samples;
  std::map<std::string, std::set<int>> seen;  // positions, by the start
  std::set<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(run / "samples")) files.insert(file.path());
  for (const auto& file : files) {
    const auto name = file.filename().string();
    auto& of_start = seen[name.substr(0, name.find("-rank-"))];
    std::istringstream lines(test::content(file));
    int step, position;
    for (std::string sample; lines >> step >> position && std::getline(lines, sample);) {
      EXPECT_TRUE(of_start.insert(position).second) << file << " has " << position << " again";
      samples[{step, position}] = sample;
    }
  }
  return samples;
}

// In sequence the sums are rounded otherwise, of the same samples.
TEST_P(EveryKind, AnyNumberThatDividesTrainsOnTheSameBatches) {
  const auto twelve = [&](const Settings& more) {
    auto all = with(more);
    all.insert(all.end(), {"train.global_batch_size=24", "train.max_steps=30", "log.samples=true"});
    return all;
  };
  for (const int processes : {1, 2, 4}) expect_all(train(processes, "on" + std::to_string(processes), twelve({})), 0);
  for (const auto& [processes, end] : {std::pair(3, 7), {2, 13}, {4, 19}, {1, 25}, {2, 30}})
    expect_all(train(processes, "parts", twelve({"train.stop_at=" + std::to_string(end)})), 0);
  const auto samples = samples_of(job.of_run("on1"));
  EXPECT_EQ(samples.size(), 24u * 30u);
  const auto one = losses(job.metrics("on1"));
  const double tolerance = GetParam().name == "dense" ? 1e-4 : 1e-3;
  for (const std::string run : {"on2", "on4", "parts"}) {
    EXPECT_EQ(samples_of(job.of_run(run)), samples) << run;
    const auto several = losses(job.metrics(run));
    ASSERT_EQ(several.size(), 30u) << run;
    EXPECT_NEAR(several[0], one[0], 1e-6 * one[0]) << run;
    for (std::size_t i = 0; i < one.size(); ++i)
      EXPECT_NEAR(several[i], one[i], tolerance * one[i]) << run << ", step " << i + 1;
  }
  EXPECT_THAT(test::content(job.of_run("parts") / "log.txt"), HasSubstr("saved in 3 parts; processes now: 2\n"));
}

TEST_P(EveryKind, RestartReplayOfSeveral) {
  for (const int processes : {2, 4}) {
    const auto name = [&](const char* what) { return what + std::to_string(processes); };
    expect_all(train(processes, name("whole"), with({})), 0);
    expect_all(train(processes, name("parts"), with({"train.stop_at=5"})), 0);
    expect_all(train(processes, name("parts"), with({})), 0);
    expect_same_runs(name("whole"), name("parts"));
  }
}

// A mixture, PEER and a memory, which groups of processes hold together.
class Groups : public Processes {
 protected:
  static Settings with(Settings more) {
    more.insert(
        more.end(),
        {"model.n_layers=3", "model.ffw={kind: moe, num_experts: 4, top_k: 2, d_expert: 8, bias_update_rate: 0.01}",
         "model.layers=[{at: [1], ffw: {kind: peer, num_experts: 64, heads: 2, top_k: 4, d_key: 8, glu: true}}, "
         "{at: [2], ffw: {kind: pkm, num_values: 64, heads: 2, top_k: 4, d_key: 8, gate: silu}}]",
         "train.micro_batch_size=2", "train.max_steps=12", "parallel.check_every_steps=2"});
    return more;
  }
};

TEST_F(Groups, RepeatTheirBitsAndTrainAsOneDoes) {
  expect_all(train(1, "one", with({})), 0);
  const double one = last_loss(job.metrics("one"));
  const std::vector<Settings> divisions{
      {"parallel.expert=2", "parallel.table=4"},
      {"parallel.expert=4", "parallel.table=2", "parallel.zero=1"},
      {"parallel.expert=2", "parallel.table=2", "parallel.zero=1", "train.recompute=layer", "optim.kind=muon"}};
  for (std::size_t i = 0; i < divisions.size(); ++i) {
    const auto name = [&](const char* what) { return what + std::to_string(i); };
    const auto divided = [&](Settings more) {
      more.insert(more.end(), divisions[i].begin(), divisions[i].end());
      return with(more);
    };
    expect_all(train(4, name("whole"), divided({})), 0);
    expect_all(train(4, name("parts"), divided({"train.stop_at=5"})), 0);
    expect_all(train(4, name("parts"), divided({})), 0);
    expect_same_runs(name("whole"), name("parts"));
    if (i == 2) continue;  // another optimizer
    EXPECT_NEAR(last_loss(job.metrics(name("whole"))), one, 1e-4 * one);
  }
}

// A checkpoint of any division is read by any other, and by the verbs that need one process.
TEST_F(Groups, GoOnInOtherGroups) {
  expect_all(train(1, "whole", with({})), 0);
  expect_all(train(4, "parts", with({"train.stop_at=3", "parallel.expert=4", "parallel.table=2"})), 0);
  expect_all(train(2, "parts", with({"train.stop_at=6", "parallel.table=2", "parallel.zero=1"})), 0);
  expect_all(train(4, "parts", with({"train.stop_at=9", "parallel.expert=2", "parallel.zero=1"})), 0);
  const auto eval = job.run({"eval", "--checkpoint", "runs/parts"});
  EXPECT_EQ(eval.code, 0) << eval;
  const auto resharded = job.run({"checkpoint", "reshard", "runs/parts", "anew", "--parts", "3"});
  EXPECT_EQ(resharded.out, "anew/step-000000000009\n") << resharded;
  EXPECT_TRUE(std::filesystem::exists(job.folder() / "anew/step-000000000009/state-00002-of-00003.safetensors"));
  const auto diff = job.run({"checkpoint", "diff", "runs/parts", "anew"});
  EXPECT_EQ(diff.out, "identical\n") << diff;
  expect_all(train(1, "parts", with({})), 0);
  expect_all(train(1, "branch", with({"--from", "anew"})), 0);
  EXPECT_EQ(job.diff("parts", "branch").out, "identical\n");
  const double whole = last_loss(job.metrics("whole"));
  EXPECT_NEAR(last_loss(job.metrics("parts")), whole, 1e-4 * whole);
}

TEST_F(Groups, AreRefusedWhereTheyDoNotFit) {
  const auto said = [&](int processes, const Settings& settings) {
    auto all = with({});
    all.insert(all.end(), settings.begin(), settings.end());
    const auto outcomes = train(processes, "a", all);
    expect_all(outcomes, 78);
    return outcomes.front().err;
  };
  EXPECT_THAT(said(2, {"parallel.table=4"}), HasSubstr("parallel.table (4) must divide the number of processes (2)"));
  EXPECT_THAT(said(1, {"parallel.table=2", "model.layers=[]"}),
              HasSubstr("parallel.table has no effect: no layer has a table"));
  EXPECT_THAT(said(1, {"parallel.expert=3"}), HasSubstr("parallel.expert (3) must divide the 4 experts of layer 0"));
  EXPECT_THAT(said(1, {"parallel.table=3"}), HasSubstr("parallel.table (3) must divide model.d_model (16)"));
  EXPECT_THAT(said(2, {"parallel.table=2", "train.determinism=elastic"}),
              HasSubstr("train.determinism: elastic holds where each process has the whole model"));
}

TEST_F(Processes, OnlyTheFirstTellsWhatHappens) {
  const auto outcomes = train(2, "a", {"train.max_steps=3"});
  expect_all(outcomes, 0);
  EXPECT_NE(outcomes[0].err.find("processes: 2, each with 1 micro-batches of a step"), std::string::npos)
      << outcomes[0];
  EXPECT_EQ(outcomes[1].err, "");
}

TEST_F(Processes, EachWritesItsPartOfACheckpoint) {
  expect_all(train(4, "a", {"train.global_batch_size=16", "train.max_steps=2"}), 0);
  std::vector<std::uintmax_t> sizes;
  for (int rank = 0; rank < 4; ++rank)
    sizes.push_back(std::filesystem::file_size(job.of_run("a") / "checkpoints/step-000000000002" /
                                               concat("state-0000", rank, "-of-00004.safetensors")));
  const auto whole = std::accumulate(sizes.begin(), sizes.end(), std::uintmax_t{0});
  EXPECT_LT(*std::max_element(sizes.begin(), sizes.end()), 2 * whole / 4);
}

TEST_F(Processes, ElasticHasTheSameBitsWithSeveralThreadsEach) {
  const Settings two{"train.threads=2", "train.determinism=elastic", "train.max_steps=4"};
  for (const int processes : {1, 2}) expect_all(train(processes, "on" + std::to_string(processes), two), 0);
  expect_same_runs("on1", "on2");
}

TEST_F(Processes, OneThatIsAskedToStopStopsAll) {
  const auto started = start(2, "a", {"train.global_batch_size=64"});
  ASSERT_TRUE(started[0].prints("step 3/40"));
  started[1].signal(SIGTERM);
  const auto outcomes = wait(started);
  expect_all(outcomes, 75);
  EXPECT_NE(outcomes[0].err.find("another process asks to stop"), std::string::npos) << outcomes[0];
}

// What is wrong with one of them ends all, with one code, and each line says whose fault it is.
TEST_F(Processes, DifferentSettingsAreNamed) {
  const auto outcomes = train(3, "a", {}, {{"optim.lr=0.5"}, {"optim.lr=0.25"}, {"optim.lr=0.25", "seed=2"}});
  expect_all(outcomes, 78);
  const char* const text =
      "the processes do not agree:\"\n  optim.lr: 0.5 in process 0; 0.25 in processes 1-2\n"
      "  seed: 1 in processes 0-1; 2 in process 2\n";
  for (const auto& outcome : outcomes) EXPECT_NE(outcome.err.find(text), std::string::npos) << outcome;
}

// Hosts with copies of their own.
TEST_F(Processes, OtherDataIsNamed) {
  for (const std::string changed : {"train", "val"}) {
    const test::SmallJob other;
    const auto name = changed == "train" ? "--out" : "--val-out", rest = changed == "train" ? "--val-out" : "--out";
    std::filesystem::remove_all(other.folder() / changed);
    std::string lines;
    for (int i = 0; i < 40; ++i) lines += "{\"text\": \"other words " + std::to_string(i) + "\"}\n";
    test::write(other.folder() / "more.jsonl", lines);
    const auto prepared = other.run(
        {"data", "prepare", "--tokenizer", "byte", name, changed, rest, "left", "--val-fraction", "0.5", "more.jsonl"});
    ASSERT_EQ(prepared.code, 0) << prepared;
    const auto run = "run.dir=" + (job.folder() / "runs").string();
    const auto meeting = "file:" + (job.folder() / changed).string() + ".meeting";
    const auto outcomes = wait({join(job, changed, {run}, 0, 2, meeting), join(other, changed, {run}, 1, 2, meeting)});
    expect_all(outcomes, 78);
    const std::string text = (changed == "train" ? "data.train" : "data.val\\[0\\]") +
                             std::string(": digest [0-9a-f]+ in process 0; digest [0-9a-f]+ in process 1; all need");
    for (const auto& outcome : outcomes) EXPECT_THAT(outcome.err, ContainsRegex(text)) << outcome;
  }
}

// Hosts whose copies of a checkpoint differ. The first comparison comes after the first step, whichever it is.
TEST_F(Processes, ADifferentReplicaEndsAllWith70) {
  const test::SmallJob other;
  const auto go_on = [](const test::SmallJob& in, const char* lr, const char* end) {
    const auto trained = in.train("a", {"--override", "optim.lr", lr, end, "train.threads=1"});
    ASSERT_EQ(trained.code, 0) << trained;
  };
  go_on(job, "optim.lr=1e-3", "train.stop_at=5");
  std::filesystem::copy(job.folder() / "runs", other.folder() / "runs", std::filesystem::copy_options::recursive);
  go_on(job, "optim.lr=1e-3", "train.stop_at=10");
  go_on(other, "optim.lr=1e-2", "train.stop_at=10");
  for (const std::string compares : {"parallel.check_every_steps=1", "checkpoint.every_steps=11"}) {
    const auto meeting = "file:" + (job.folder() / compares).string() + ".meeting";
    const Settings settings{"--override", "optim.lr", "parallel.check_every_steps=0", compares};
    const auto outcomes = wait({join(job, "a", settings, 0, 2, meeting), join(other, "a", settings, 1, 2, meeting)});
    expect_all(outcomes, 70);
    for (const auto& outcome : outcomes) EXPECT_THAT(outcome.err, HasSubstr("\n  model.decoder.embedding: 0 | 1\n"));
    EXPECT_THAT(outcomes[0].err, Not(AnyOf(HasSubstr("step 12/"), HasSubstr("is durable"))));
  }
}

TEST_F(Processes, AFolderThatIsTakenEndsAll) {
  std::filesystem::create_directories(job.of_run("a"));
  test::write(job.of_run("a") / "thesis.txt", "");
  const auto outcomes = train(2, "a", {});
  expect_all(outcomes, 73);
  EXPECT_NE(outcomes[1].err.find("process 0: runs/a: holds 'thesis.txt'"), std::string::npos) << outcomes[1];
}

// To see whether a process of another host still holds the folder may take longer than processes wait for each other.
TEST_F(Processes, WaitForAFolderLongerThanForEachOther) {
  ASSERT_EQ(job.train("a", {"train.stop_at=2"}).code, 0);
  test::write(job.of_run("a") / ".owner", "token machine a process of another host\n");
  const auto started = start(2, "a", {"parallel.timeout_seconds=2"});
  ASSERT_TRUE(started[0].prints("waits for 45 s whether a process of another host still lives"));
  std::this_thread::sleep_for(std::chrono::seconds(4));
  for (const auto& process : started) {
    EXPECT_FALSE(process.ended());
    process.signal(SIGTERM);
  }
  expect_all(wait(started), 75);
}

// By another host, to which rank 0 looked dead. Rank 0 learns that when it commits a checkpoint, or else when it next
// renews its lock, within 10 s.
class TakenOver : public Processes {
 protected:
  void expect_end(const char* checkpoints) {
    const auto started = start(2, "a", {"train.max_steps=1000000", "eval.every_steps=0", checkpoints});
    ASSERT_TRUE(started[0].prints("step 2/1000000"));
    test::write(job.of_run("a") / ".owner", "token machine a process of another host\n");
    const auto outcomes = wait(started);
    expect_all(outcomes, 73);
    for (const auto& outcome : outcomes)
      EXPECT_THAT(outcome.err, HasSubstr("runs/a: taken over by a process of another host"));
    EXPECT_THAT(test::content(job.of_run("a") / "status.json"), HasSubstr("\"state\":\"running\""));
  }
};

TEST_F(TakenOver, ARunEndsAllItsProcessesAtASave) { expect_end("checkpoint.every_steps=5"); }

TEST_F(TakenOver, ARunThatSavesNothingEndsAllItsProcessesToo) { expect_end("checkpoint.every_steps=1000000"); }

TEST_F(Processes, MicroBatchesMustBeDealtEvenly) {
  const auto outcomes = train(3, "a", {});
  expect_all(outcomes, 78);
  EXPECT_NE(outcomes[2].err.find("the number of processes (3) must divide the micro-batches of a step"),
            std::string::npos)
      << outcomes[2];
}

TEST_F(Processes, ElasticNeedsPowersOfTwo) {
  const auto said = [&](int processes, const char* batch) {
    const auto outcomes = train(processes, "a", {"train.determinism=elastic", batch, "train.micro_batch_size=2"});
    expect_all(outcomes, 78);
    return outcomes.front().err;
  };
  EXPECT_NE(said(3, "train.global_batch_size=24")
                .find("train.determinism: elastic needs a power of two as the number of processes, got 3"),
            std::string::npos);
  EXPECT_NE(said(1, "train.global_batch_size=12")
                .find("train.determinism: elastic needs a power of two as the number of micro-batches of a step "
                      "(train.global_batch_size / train.micro_batch_size), got 6"),
            std::string::npos);
}

}  // namespace
}  // namespace peerless
