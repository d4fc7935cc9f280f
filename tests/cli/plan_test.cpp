// `peerless plan`: what published models work out to, and how it says what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// `file` of the repository, in whose root tests run.
test::Outcome run(const std::string& file, const std::vector<std::string>& rest) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments{"plan", "--config", std::filesystem::absolute(file).string()};
  arguments.insert(arguments.end(), rest.begin(), rest.end());
  return test::run(folder.path(), arguments);
}

json plan(const std::string& file, std::vector<std::string> rest = {}) {
  rest.push_back("--json");
  const auto outcome = run(file, rest);
  EXPECT_EQ(outcome.code, 0) << outcome;
  return json::parse(outcome.out);
}

struct Published {
  const char* preset;
  double total, active;  // billions
};

class Preset : public testing::TestWithParam<Published> {};
INSTANTIATE_TEST_SUITE_P(Of, Preset,
                         testing::Values(Published{"mixtral-8x7b", 46.70, 12.88}, Published{"dbrx", 131.60, 36.47},
                                         Published{"grok-1", 315.68, 83.76}, Published{"deepseek-moe-16b", 16.38, 2.83},
                                         Published{"olmoe-1b-7b", 6.92, 1.28}),
                         [](const auto& row) {
                           std::string name = row.param.preset;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// What is divided among processes, and what is not.
TEST(Plan, SaysTheMemoryOfEachProcess) {
  const auto of = [](std::vector<std::string> rest) {
    rest.insert(rest.end(), {"--processes", "4", "train.global_batch_size=64"});
    return plan("configs/presets/peer-1m.yaml", rest)["memory_bytes"];
  };
  const auto whole = of({}), zero = of({"parallel.zero=1"}), table = of({"parallel.table=4"}),
             elastic = of({"train.determinism=elastic"}), sync = of({"checkpoint.mode=sync"});
  const double parameters = plan("configs/presets/peer-1m.yaml")["total"]["parameters"].get<double>();
  const auto bytes = [](const json& memory, const char* part) { return memory[part].get<double>(); };
  EXPECT_EQ(bytes(whole, "weights"), 4 * parameters);
  EXPECT_EQ(bytes(whole, "moments"), 8 * parameters);
  EXPECT_NEAR(bytes(zero, "moments"), 2 * parameters, 1e-4 * parameters);  // shares are of whole blocks
  EXPECT_EQ(bytes(zero, "weights"), 4 * parameters);
  const double in_tables = bytes(whole, "weights") - bytes(whole, "gradients");
  EXPECT_EQ(bytes(table, "weights"), bytes(whole, "gradients") + in_tables / 4);
  EXPECT_GT(bytes(table, "kept for backward"), bytes(whole, "kept for backward"));
  EXPECT_GT(bytes(elastic, "gradients"), bytes(whole, "gradients"));
  for (const auto& divided : {whole, zero, table})
    EXPECT_NEAR(bytes(divided, "copy to save"), 12 * parameters / 4, 1e-4 * parameters);
  EXPECT_EQ(bytes(sync, "copy to save"), 0);
  double sum = 0;
  for (const auto& [name, part] : whole.items()) sum += name == "total" ? 0 : part.get<double>();
  EXPECT_NEAR(sum, bytes(whole, "total"), 1);
}

TEST(Plan, RefusesWhatCannotBeDivided) {
  const auto outcome = run("configs/presets/peer-1m.yaml", {"--processes", "3", "parallel.table=2"});
  EXPECT_EQ(outcome.code, 78) << outcome;
}

// To 0.1 %, or as far as two decimals tell.
TEST_P(Preset, HasTheParametersOfThePublishedModel) {
  const auto total = plan(std::string("configs/presets/") + GetParam().preset + ".yaml")["total"];
  const auto near = [](double published) { return std::max(0.005, 0.001 * published); };
  EXPECT_NEAR(total["parameters"].get<double>() / 1e9, GetParam().total, near(GetParam().total));
  EXPECT_NEAR(total["active_parameters"].get<double>() / 1e9, GetParam().active, near(GetParam().active));
}

TEST(Plan, SaysPartByPartWhatAddsUpToTheTotal) {
  const auto all = plan("configs/presets/peer-1m.yaml");
  double parameters = 0, flops = 0;
  for (const auto& part : all["parts"]) {
    parameters += part["parameters"].get<double>();
    flops += part["flops_per_token"].get<double>();
  }
  EXPECT_EQ(parameters, all["total"]["parameters"].get<double>());
  EXPECT_EQ(flops, all["total"]["flops_per_token"].get<double>());
  EXPECT_EQ(all["parts"]["table layer6"]["parameters"], 1048576L * 2 * 768);
  EXPECT_EQ(all["parts"]["ffw: dense, layers 0-5, 7-11"]["parameters"], 11L * 2 * 768 * 3072);
}

std::vector<std::string> with_granularity(int granularity) {
  return {"model.layers=[]", "model.vocab_size=4096", "optim={kind: adamw, lr: 1.0e-3}",
          "model.ffw={kind: moe, expansion: 8, d_ff: 704, granularity: " + std::to_string(granularity) + "}"};
}

// At a fixed expansion the experts' parameters and FLOPs do not depend on the granularity; what routing costs does.
TEST(Plan, ShowsThatGranularityCostsRoutingAlone) {
  const auto beside_routing = [](int granularity) {
    const auto total = plan("configs/quickstart.yaml", with_granularity(granularity))["total"];
    const auto difference = [&](const std::string& what, const std::string& of_routing) {
      return total[what].get<double>() - total[of_routing].get<double>();
    };
    return std::vector{difference("parameters", "routing_parameters"),
                       difference("active_parameters", "routing_parameters"),
                       difference("flops_per_token", "routing_flops_per_token")};
  };
  for (const int granularity : {2, 4, 8, 16}) EXPECT_EQ(beside_routing(granularity), beside_routing(1));
}

TEST(Plan, ShowsItInTheTableToo) {
  const auto beside_routing = [](int granularity) {
    const auto table = run("configs/quickstart.yaml", with_granularity(granularity)).out;
    const auto begin = table.find("total beside routing ");
    return table.substr(begin, table.find('\n', begin) - begin);
  };
  EXPECT_THAT(beside_routing(1), testing::ContainsRegex("total beside routing +[0-9.]+ M +[0-9.]+ M +[0-9.]+ M"));
  for (const int granularity : {4, 16}) EXPECT_EQ(beside_routing(granularity), beside_routing(1));
}

TEST(Plan, PrintsATable) {
  const auto outcome = run("configs/presets/mixtral-8x7b.yaml", {});
  EXPECT_EQ(outcome.code, 0) << outcome;
  EXPECT_THAT(outcome.out, HasSubstr("total                                   46.70 B      12.88 B"));
}

TEST(Plan, WithoutAVocabularyNeedsTheTokenizer) {
  const auto outcome = run("configs/quickstart.yaml", {"tokenizer.model=nowhere.model"});
  EXPECT_EQ(outcome.code, 66) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("nowhere.model: cannot"));
}

}  // namespace
}  // namespace peerless
