// What the verbs that only look at things answer: config, eval, generate, checkpoint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>

#include <nlohmann/json.hpp>

#include "tests/cli/small_job.h"

namespace peerless {
namespace {

using nlohmann::json;
using test::Outcome;
using test::SmallJob;
using testing::HasSubstr;

class Answers : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    job = std::make_unique<SmallJob>();
    const auto trained = job->train("a");
    ASSERT_EQ(trained.code, 0) << trained;
  }
  static void TearDownTestSuite() { job.reset(); }

  static std::string output(const std::vector<std::string>& arguments) {
    const auto outcome = job->run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome;
    return outcome.out;
  }
  static std::string generated(std::vector<std::string> more) {
    more.insert(more.begin(), {"generate", "--checkpoint", "runs/a", "--max-tokens", "12"});
    return output(more);
  }
  static inline std::unique_ptr<SmallJob> job;
};

TEST_F(Answers, ConfigCheckSaysOk) { EXPECT_EQ(output({"config", "check", "--config", "run.yaml"}), "run.yaml: ok\n"); }

TEST_F(Answers, ConfigShowNamesEveryOrigin) {
  const auto shown = output({"config", "show", "--config", "run.yaml", "optim.lr=0.5"});
  EXPECT_THAT(shown, testing::ContainsRegex("lr: 0.5 +# command line\n"));
  EXPECT_THAT(shown, testing::ContainsRegex("n_layers: 2 +# run.yaml:7\n"));
  EXPECT_THAT(shown, testing::ContainsRegex("rope_theta: 10000 +# default\n"));
  EXPECT_THAT(shown, testing::ContainsRegex("head_dim: 8 +# derived\n"));
}

TEST_F(Answers, ConfigExplainsAKey) {
  EXPECT_THAT(output({"config", "explain", "model.ffw.top_k"}), HasSubstr("experts each head retrieves per token"));
  const auto unknown = job->run({"config", "explain", "model.ffw.topk"});
  EXPECT_EQ(unknown.code, 78);
  EXPECT_THAT(unknown.err, HasSubstr("top_k'?"));
}

TEST_F(Answers, ConfigSchemaIsJson) { EXPECT_EQ(json::parse(output({"config", "schema"}))["title"], "peerless run"); }

TEST_F(Answers, TrainHelpListsTheKeys) {
  const auto help = output({"train", "--help"});
  EXPECT_THAT(help, HasSubstr("train.max_steps "));
  EXPECT_THAT(help, HasSubstr("model.ffw[peer].num_experts "));
}

TEST_F(Answers, EvalSaysWhatTrainingSaid) {
  const auto answer = json::parse(output({"eval", "--checkpoint", "runs/a", "--json"}));
  const auto metrics = test::content(job->of_run("a") / "metrics.jsonl");
  const auto last = json::parse(metrics.substr(metrics.rfind('\n', metrics.size() - 2) + 1));
  EXPECT_EQ(answer["step"], 40);
  EXPECT_EQ(answer["eval"], last["eval"]);
  EXPECT_THAT(output({"eval", "--checkpoint", "runs/a"}),
              testing::StartsWith("runs/a/checkpoints/step-000000000040, step 40\nsmall: loss "));
}

TEST_F(Answers, EvalScoresEveryTokenOfAText) {
  const std::string text = "12 times 3 is 36. And some more, so that it is longer than a window.";
  test::write(job->folder() / "text.txt", text);
  const auto answer = json::parse(
      output({"eval", "--checkpoint", "runs/a", "--text", "text.txt", "--per-token", "scores.jsonl", "--json"}));
  std::istringstream lines(test::content(job->folder() / "scores.jsonl"));
  double sum = 0;
  std::size_t position = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto score = json::parse(line);
    EXPECT_EQ(score["position"], ++position);
    if (position <= text.size()) {
      EXPECT_EQ(score["id"], static_cast<unsigned char>(text[position - 1]));
    }
    sum -= score["log_prob"].get<double>();
  }
  EXPECT_EQ(position, text.size() + 1);  // and the eos
  EXPECT_EQ(answer["tokens"], position);
  EXPECT_NEAR(answer["loss"].get<double>(), sum / static_cast<double>(position), 1e-9);
  EXPECT_FALSE(std::filesystem::exists(job->folder() / ".scores.jsonl.tmp"));
}

TEST_F(Answers, GenerateRepeatsItself) {
  EXPECT_EQ(generated({"--prompt", "3 times ", "--greedy"}), generated({"--prompt", "3 times ", "--greedy"}));
  EXPECT_EQ(generated({"--prompt", "3", "--seed", "4"}), generated({"--prompt", "3", "--seed", "4"}));
  EXPECT_NE(generated({"--prompt", "3", "--seed", "4"}), generated({"--prompt", "3", "--seed", "5"}));
  EXPECT_THAT(generated({"--prompt", "3 times ", "--greedy"}), testing::StartsWith("3 times "));
  const auto answer = json::parse(generated({"--prompt", "3 times ", "--greedy", "--json"}));
  EXPECT_EQ(answer["prompt"], "3 times ");
  EXPECT_LE(answer["tokens"].size(), 12u);
  EXPECT_EQ(output({"generate", "--checkpoint", "runs/a", "--prompt", "", "--max-tokens", "0"}), "\n");
}

TEST_F(Answers, OnATerminalALineIsRewrittenAtEachStep) {
  int terminal = 0;
  winsize size{.ws_row = 24, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    if (chdir(job->folder().c_str()) != 0) _exit(127);
    execl(test::program().c_str(), "peerless", "train", "--config", "run.yaml", "run.name=t", "train.stop_at=3",
          "log.every_steps=2", nullptr);
    _exit(127);
  }
  std::string screen;
  char bytes[4096];
  for (ssize_t got = 0; (got = read(terminal, bytes, sizeof bytes)) > 0;)
    screen.append(bytes, static_cast<std::size_t>(got));
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0) << screen;
  EXPECT_THAT(screen, HasSubstr("\r\033[K[#####...........] eta 0:0"));
  EXPECT_THAT(screen, HasSubstr("  step 1/3  loss "));
  for (std::size_t at = screen.find("\r\033[K["); at != std::string::npos; at = screen.find("\r\033[K[", at + 1))
    EXPECT_LT(screen.find_first_of("\r", at + 1) - at, 4u + 100u);  // no line is wrapped
}

TEST_F(Answers, TensorBoardGetsEveryKindOfScalar) {
  std::string events;
  for (const auto& entry : std::filesystem::directory_iterator(job->of_run("a")))
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) events += test::content(entry.path());
  for (const char* tag : {"train/loss", "train/lr", "perf/tokens_per_sec", "val/small/bits_per_byte"})
    EXPECT_THAT(events, HasSubstr(tag));
}

TEST_F(Answers, VersionAndHelpAreNoErrors) {
  EXPECT_THAT(output({"--version"}), testing::StartsWith("peerless "));
  for (const char* verb : {"tokenizer", "data", "config", "train", "checkpoint", "eval", "generate", "plan", "doctor"})
    EXPECT_THAT(output({verb, "--help"}), HasSubstr("--help"));
  EXPECT_EQ(job->run({"no-such-verb"}).code, 64);
  EXPECT_EQ(job->run({}).code, 64);
}

}  // namespace
}  // namespace peerless
