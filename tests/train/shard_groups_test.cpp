// Processes that hold experts and tables together train and evaluate as one that holds all.
#include <gtest/gtest.h>

#include "peerless/eval/evaluate.h"
#include "peerless/train/replica_check.h"
#include "tests/data/shards.h"
#include "tests/support/local_group.h"
#include "tests/support/small_run.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using test::SmallRun;

constexpr std::int64_t kVocab = 100, kLength = 12;

// Blocks that groups of 2, 3 and 4 can share: 12 experts, 24 columns; two layers share a table.
ModelConfig model_with(const FfwConfig& first, const FfwConfig& second) {
  ModelConfig config = test::small_model();
  config.d_model = 24;
  config.n_layers = 4;
  config.layers = {{LayerSet{LayerRange{1, 1}}, first}, {LayerSet{LayerRange{2, 3}}, second}};
  return config;
}

ModelConfig experts_and_peer() {
  MoeConfig experts = MoeConfig::small();
  experts.num_experts = 12;
  experts.top_k = 3;
  PeerConfig peer = PeerConfig::small();
  peer.table = "shared";
  peer.glu = true;
  return model_with(experts, peer);
}

ModelConfig hashed_experts_and_pkm() {
  PkmConfig pkm = PkmConfig::small();
  pkm.table = "shared";
  return model_with(HashMoeConfig{.num_experts = 12, .d_expert = 6}, pkm);
}

ModelConfig peer_alone() { return model_with(DenseConfig{.d_ff = 24}, PeerConfig::small()); }

struct Groups {
  std::int64_t processes, experts, tables;
  bool zero = false;
};

// Of experts and tables each process has its part, of the rest all.
void expect_shares(const SmallRun& run, const SmallRun& alone, const Groups& groups) {
  const auto mine = run.state(), whole = alone.state();
  ASSERT_EQ(mine.size(), whole.size());
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const std::string& name = mine[i].name;
    if (!name.starts_with("model.")) continue;
    const auto ways = name.find(".experts.") != name.npos  ? groups.experts
                      : name.find(".tables.") != name.npos ? groups.tables
                                                           : 1;
    EXPECT_EQ(mine[i].tensor.numel() * ways, whole[i].tensor.numel()) << name;
  }
}

void expect_gradients_of_one_process(const Groups& groups, const ModelConfig& model, test::SmallRunOptions options) {
  SmallRun alone(model, 1, options);
  const StepReport expected = alone.train(0, 1);
  options.division.zero = groups.zero;
  options.experts = groups.experts;
  options.tables = groups.tables;
  test::in_group(groups.processes, [&](Communicator& all) {
    SmallRun run(model, 1, options, all);
    const StepReport report = run.train(0, 1);
    EXPECT_NEAR(report.loss, expected.loss, 1e-6 * expected.loss);
    EXPECT_NEAR(report.grad_norm, expected.grad_norm, 1e-5 * expected.grad_norm);
    EXPECT_NEAR(report.table_grad_norm, expected.table_grad_norm, 1e-5 * expected.table_grad_norm);
    EXPECT_EQ(report.rows_touched, expected.rows_touched);
    run.expect_near_gradients(alone);
    expect_shares(run, alone, groups);
    EXPECT_NO_THROW(check_replicas(all, run.state(), 1));
  });
}

class Sharded : public testing::TestWithParam<std::tuple<Groups, ModelConfig (*)()>> {};

TEST_P(Sharded, HasTheGradientsOfOneProcess) {
  const auto& [groups, model] = GetParam();
  expect_gradients_of_one_process(groups, model(), {.micro_batches = 12});
}

INSTANTIATE_TEST_SUITE_P(Of, Sharded,
                         testing::Combine(testing::Values(Groups{2, 2, 2}, Groups{3, 3, 3}, Groups{4, 2, 4},
                                                          Groups{4, 4, 2}, Groups{4, 1, 2}, Groups{4, 2, 1},
                                                          Groups{2, 2, 2, true}, Groups{4, 2, 4, true},
                                                          Groups{6, 3, 2, true}),
                                          testing::Values(experts_and_peer, hashed_experts_and_pkm)));
INSTANTIATE_TEST_SUITE_P(OfTablesAlone, Sharded,
                         testing::Combine(testing::Values(Groups{4, 1, 4}, Groups{3, 1, 3, true}, Groups{4, 1, 2}),
                                          testing::Values(peer_alone)));

// All tokens go to one expert: its holder has all rows of the group, the others none.
TEST(ShardedExperts, HaveTheGradientsOfOneProcessWhereOneHasAllTokens) {
  const auto ids = at::arange(50), experts = hash_experts(ids, /*layer=*/1, 12);
  for (const std::int64_t expert : {0, 11})
    for (const std::int64_t ways : {2, 4})
      expect_gradients_of_one_process({ways, ways, 1}, hashed_experts_and_pkm(),
                                      {.micro_batches = 4, .vocabulary = ids.masked_select(experts == expert)});
}

// Batches that cannot be dealt evenly: some have nothing to do while others of their group have.
TEST(ShardedEvaluation, IsThatOfOneProcess) {
  const TemporaryFolder folder;
  write_shard(folder / "val.tok", counting_documents({2, 3, 9, 10, 25, 17, 5, 40}));
  const auto set_of = [&](std::int64_t batch) {
    return EvalSet({.path = (folder / "val.tok").string(), .name = "val"}, tokenizer_of(kVocab), kLength, batch);
  };
  for (const std::int64_t batch : {1, 3, 100}) {
    const auto expected = evaluate(*test::make_model(experts_and_peer(), kVocab, kLength), set_of(batch));
    for (const auto& groups : {Groups{2, 2, 2}, Groups{3, 3, 3}, Groups{4, 2, 4}}) {
      test::in_group(groups.processes, [&](Communicator& all) {
        Subset experts(all, group_of(all, groups.experts)), tables(all, group_of(all, groups.tables));
        const auto model =
            test::make_model(experts_and_peer(), kVocab, kLength, at::kFloat, at::kCPU, {&experts, &tables});
        const auto report = evaluate(*model, set_of(batch), all);
        EXPECT_NEAR(report.summed_loss, expected.summed_loss, 1e-6 * expected.summed_loss);
        EXPECT_EQ(report.targets, expected.targets);
        ASSERT_EQ(report.figures.size(), expected.figures.size());
        for (std::size_t i = 0; i < expected.figures.size(); ++i)
          EXPECT_NEAR(report.figures[i].second, expected.figures[i].second, 1e-5) << expected.figures[i].first;
      });
    }
  }
}

}  // namespace
}  // namespace peerless
