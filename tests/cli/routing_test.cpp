// How tokens spread over experts: in the log, in metrics.jsonl, and whole from `eval --routing`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "tests/cli/small_job.h"

namespace peerless {
namespace {

using nlohmann::json;
using test::SmallJob;
using testing::HasSubstr;

const std::string kMixture = "model.ffw={kind: moe, num_experts: 6, top_k: 2, d_expert: 8}";  // beside a PEER layer

class Routing : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    job = std::make_unique<SmallJob>();
    trained =
        std::make_unique<test::Outcome>(job->train("mixture", {"train.max_steps=3", "eval.every_steps=3", kMixture}));
  }
  static void TearDownTestSuite() {
    job.reset();
    trained.reset();
  }
  static std::vector<json> records() {
    std::istringstream lines(job->metrics("mixture"));
    std::vector<json> all;
    for (std::string line; std::getline(lines, line);) all.push_back(json::parse(line));
    return all;
  }
  static inline std::unique_ptr<SmallJob> job;
  static inline std::unique_ptr<test::Outcome> trained;
};

TEST_F(Routing, OfEachStepIsLoggedAndRecorded) {
  ASSERT_EQ(trained->code, 0) << *trained;
  EXPECT_THAT(trained->err, HasSubstr("  load max "));
  const auto routing = records().front()["routing"];
  EXPECT_GE(routing["layers.0.load_max"].get<double>(), 1);
  EXPECT_LE(routing["layers.0.load_entropy"].get<double>(), 1);
  EXPECT_TRUE(routing.contains("layers.0.load_unused"));
  EXPECT_GT(records().front()["aux_loss"].get<double>(), 0);
}

TEST_F(Routing, OfAnEvaluationIsWrittenWhole) {
  const auto outcome = job->run({"eval", "--checkpoint", "runs/mixture", "--json", "--routing", "loads"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const auto tokens = json::parse(outcome.out)["eval"]["small"]["tokens"].get<double>();
  const auto loads = json::parse(test::content(job->folder() / "loads/small.json"));
  const auto of_mixture = loads["layers.0.load"].get<std::vector<double>>();
  ASSERT_EQ(of_mixture.size(), 6u);
  EXPECT_EQ(std::accumulate(of_mixture.begin(), of_mixture.end(), 0.0), 2 * tokens);
  EXPECT_EQ(loads["layers.1.weight"].size(), 64u);
  EXPECT_EQ(loads["layers.1.count"].size(), 64u);
  EXPECT_THAT(test::content(job->folder() / "loads/small.svg"), HasSubstr("layers.0.load: 6 in their order"));

  const auto again = job->run({"eval", "--checkpoint", "runs/mixture", "--routing", "loads"});
  EXPECT_EQ(again.code, 73) << again;
}

TEST_F(Routing, OfAModelThatDoesNotRouteIsAnError) {
  job->train("dense", {"train.max_steps=1", "model.layers=[]"});
  const auto outcome = job->run({"eval", "--checkpoint", "runs/dense", "--routing", "nothing"});
  EXPECT_EQ(outcome.code, 78) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("--routing: no layer of this model routes tokens; evaluate it without"));
  EXPECT_FALSE(std::filesystem::exists(job->folder() / "nothing"));
}

TEST(Doctor, SaysWhatItWasBuiltWith) {
  const TemporaryFolder folder;
  const auto outcome = test::run(folder.path(), {"doctor", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome;
  const auto found = json::parse(outcome.out);
  EXPECT_THAT(found["program"].get<std::string>(), HasSubstr("peerless "));
  EXPECT_FALSE(found["libtorch"].get<std::string>().empty());
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
  EXPECT_EQ(found["kernels"], __builtin_cpu_supports("x86-64-v4")   ? "x86-64-v4"
                              : __builtin_cpu_supports("x86-64-v3") ? "x86-64-v3"
                                                                    : "baseline");
#endif
  EXPECT_TRUE(found.contains("cuda"));
  EXPECT_THAT(test::run(folder.path(), {"doctor"}).out, HasSubstr("LibTorch"));
}

}  // namespace
}  // namespace peerless
