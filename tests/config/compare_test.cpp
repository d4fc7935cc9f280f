#include "peerless/config/compare.h"

#include <gtest/gtest.h>

#include <functional>

#include "peerless/config/config.h"
#include "tests/config/example.h"
#include "tests/support/complaint.h"

namespace peerless::config {
namespace {

using example::DenseConfig;
using example::PeerConfig;
using example::RunConfig;
using test::complaint;

std::vector<Difference> changed(const std::function<void(RunConfig&)>& change, const RunConfig& before = {}) {
  RunConfig after = before;
  change(after);
  return compare(before, after);
}

TEST(CompareConfigs, EqualOnesHaveNoDifference) {
  EXPECT_TRUE(compare(RunConfig(), RunConfig()).empty());
  EXPECT_TRUE(compare(example::full(), example::full()).empty());
}

TEST(CompareConfigs, NamesPathTextsAndClassOfEachDifference) {
  const auto differences = changed([](RunConfig& run) {
    run.model.n_layers = 5;
    run.model.softcap = 30;
    run.optim.lr = 0.5;
    run.optim.betas[1] = 0.99;
  });
  EXPECT_EQ(differences, (std::vector<Difference>{
                             {"model.n_layers", "4", "5", Resume::must_match},
                             {"model.softcap", "null", "30", Resume::must_match},
                             {"optim.lr", "0.001", "0.5", Resume::with_override},
                             {"optim.betas", "[0.9, 0.95]", "[0.9, 0.99]", Resume::must_match},
                         }));
}

TEST(CompareConfigs, AnotherKindIsOneDifference) {
  EXPECT_EQ(changed([](RunConfig& run) { run.model.ffw = PeerConfig(); }),
            (std::vector<Difference>{{"model.ffw.kind", "dense", "peer", Resume::must_match}}));
}

TEST(CompareConfigs, GoesIntoKindsAndElements) {
  EXPECT_EQ(changed([](RunConfig& run) { std::get<PeerConfig>(run.model.layers[1].ffw).top_k = 1; }, example::full()),
            (std::vector<Difference>{{"model.layers.1.ffw.top_k", "4", "1", Resume::must_match}}));
}

TEST(CompareConfigs, AListOfAnotherLengthIsOneDifference) {
  EXPECT_EQ(changed([](RunConfig& run) {
              run.model.layers = {{.at = {{2, 2}}, .ffw = DenseConfig()}};
            }),
            (std::vector<Difference>{
                {"model.layers", "[]", "[{at: [2], ffw: {kind: dense, d_ff: 64}}]", Resume::must_match}}));
}

TEST(CompareConfigs, AFreeSectionFreesItsKeys) {
  EXPECT_EQ(changed([](RunConfig& run) { run.log.every_steps = 1; }),
            (std::vector<Difference>{{"log.every_steps", "10", "1", Resume::free}}));
}

TEST(CheckResume, LetsFreeAndOverriddenKeysChange) {
  const auto differences = changed([](RunConfig& run) {
    run.name = "other";
    run.optim.lr = 0.5;
  });
  EXPECT_EQ(complaint(ExitCode::config, [&] { check_resume(differences, {"optim.lr"}); }), "");
  EXPECT_EQ(complaint(ExitCode::config, [&] { check_resume(differences, {"optim"}); }), "")
      << "a section covers its keys";
}

TEST(CheckResume, RefusesEverythingElseAndSaysWhatWouldAllowIt) {
  const auto differences = changed([](RunConfig& run) {
    run.seed = 2;
    run.name = "other";
    run.optim.lr = 0.5;
  });
  EXPECT_EQ(complaint(ExitCode::config,
                      [&] {
                        check_resume(differences, {"seed", "opt", "optim.l"});
                      }),
            "seed: is 1 in the checkpoint, got 2; a run cannot change it, start a new run\n"
            "optim.lr: is 0.001 in the checkpoint, got 0.5; --override optim.lr allows it");
}

}  // namespace
}  // namespace peerless::config
