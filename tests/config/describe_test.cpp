#include "peerless/config/describe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "peerless/config/config.h"
#include "tests/config/example.h"
#include "tests/support/complaint.h"

namespace peerless::config {
namespace {

using example::RunConfig;
using test::complaint;
using testing::EndsWith;
using testing::HasSubstr;

TEST(LeafPaths, AreAllKeysWithKindsAndElements) {
  EXPECT_EQ(leaf_paths<RunConfig>(), (std::vector<std::string>{"seed",
                                                               "name",
                                                               "model.n_layers",
                                                               "model.rope_theta",
                                                               "model.softcap",
                                                               "model.tie",
                                                               "model.ffw.kind",
                                                               "model.ffw[dense].d_ff",
                                                               "model.ffw[peer].num_keys",
                                                               "model.ffw[peer].top_k",
                                                               "model.ffw[peer].query_norm",
                                                               "model.layers.*.at",
                                                               "model.layers.*.ffw.kind",
                                                               "model.layers.*.ffw[dense].d_ff",
                                                               "model.layers.*.ffw[peer].num_keys",
                                                               "model.layers.*.ffw[peer].top_k",
                                                               "model.layers.*.ffw[peer].query_norm",
                                                               "optim.lr",
                                                               "optim.betas",
                                                               "optim.warmup",
                                                               "log.dir",
                                                               "log.every_steps"}));
}

TEST(ExplainKey, TellsAllAboutIt) {
  EXPECT_EQ(explain<RunConfig>("optim.lr"),
            "optim.lr\n"
            "  peak learning rate\n"
            "  type:       number\n"
            "  default:    0.001\n"
            "  must be:    > 0\n"
            "  at resume:  with --override\n");
  EXPECT_EQ(explain<RunConfig>("model.softcap"),
            "model.softcap\n"
            "  soft cap on the logits\n"
            "  type:       optional number\n"
            "  default:    not set\n"
            "  must be:    > 0\n"
            "  at resume:  must match\n");
}

TEST(ExplainKey, OfASectionListsItsKeys) {
  EXPECT_THAT(explain<RunConfig>("optim"), EndsWith("keys:       lr, betas, warmup\n"));
  EXPECT_THAT(explain<RunConfig>("model.ffw"), HasSubstr("keys:       kind, d_ff, num_keys, top_k, query_norm\n"));
  EXPECT_THAT(explain<RunConfig>("model.layers"), HasSubstr("keys:       at, ffw\n"));
}

TEST(ExplainKey, FindsKeysOfKindsAndElements) {
  EXPECT_THAT(explain<RunConfig>("model.ffw.top_k"), HasSubstr("model.ffw[peer].top_k\n"));
  for (const char* path : {"model.layers.3.ffw.top_k", "model.layers.*.ffw[peer].top_k", "model.layers.ffw.top_k"}) {
    EXPECT_THAT(explain<RunConfig>(path), HasSubstr("model.layers.*.ffw[peer].top_k\n")) << path;
  }
  EXPECT_THAT(explain<RunConfig>("model.layers.0.at"), HasSubstr("default:    required"));
}

TEST(ExplainKey, OffersTheNearestOfAnUnknownOne) {
  EXPECT_EQ(complaint(ExitCode::config, [] { explain<RunConfig>("model.ffw.top_l"); }),
            "there is no key 'model.ffw.top_l'; did you mean 'model.ffw.top_k'?");
  EXPECT_EQ(complaint(ExitCode::config, [] { explain<RunConfig>("top_kk"); }),
            "there is no key 'top_kk'; did you mean 'model.ffw.top_k' or 'model.layers.*.ffw.top_k'?");
  EXPECT_EQ(complaint(ExitCode::config, [] { explain<RunConfig>(""); }),
            "there is no key ''; here are seed, name, model, optim and log");
}

TEST(ConfigMarkdown, HasATablePerSection) {
  const std::string docs = markdown<RunConfig>();
  EXPECT_THAT(docs, HasSubstr("\n## Top level\n"));
  EXPECT_THAT(
      docs,
      HasSubstr(
          "\n## `optim`\n\n"
          "| key | type | default | must be | at resume | meaning |\n"
          "|---|---|---|---|---|---|\n"
          "| `lr` | number | `0.001` | > 0 | with --override | peak learning rate |\n"
          "| `betas` | list of numbers | `[0.9, 0.95]` | >= 0 and < 1 | must match | decay of the two moments |\n"
          "| `warmup` | duration | `2%` | steps (100), tokens (2e9tok) or a share of the run (2%) | with --override | "
          "length of the warm-up |\n"));
  EXPECT_THAT(docs, HasSubstr("| `softcap` | optional number | not set | > 0 | must match |"));
  EXPECT_THAT(docs,
              HasSubstr("| `at` | list of layer ranges | required | non-empty | must match | the layers, from 0 |\n"));
  EXPECT_THAT(docs, HasSubstr("| `every_steps` | integer | `10` | >= 0 | free |")) << "free by its section";
}

TEST(ConfigMarkdown, TellsTheKeysOfAKindOnce) {
  const std::string docs = markdown<RunConfig>();
  EXPECT_THAT(docs, HasSubstr("\n## `model.ffw[peer]`\n\n| key |"));
  EXPECT_THAT(docs, HasSubstr("\n## `model.layers.*.ffw[peer]`\n\nThe keys of `model.ffw[peer]`.\n"));
}

TEST(HelpRows, HaveOneLinePerKey) {
  const auto rows = help_rows<RunConfig>();
  ASSERT_EQ(rows.size(), leaf_paths<RunConfig>().size());
  EXPECT_EQ(rows[0].key, "seed");
  EXPECT_EQ(rows[0].text, "seed of every random choice (integer, must be >= 0, default 1)");
  EXPECT_EQ(rows[4].text, "soft cap on the logits (optional number, must be > 0, not set)");
}

struct Nested {
  struct Inner {
    std::int64_t n = 1;

    template <class Self, class Visit>
    static void fields(Self& c, Visit&& visit) {
      visit("n", c.n, AtLeast{0}, "a | b");
    }
  };
  Inner changed{.n = 7};
  std::optional<Inner> absent;
  std::vector<example::Norm> norms;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("changed", c.changed, Any{}, "an inner one");
    visit("absent", c.absent, Any{}, "another");
    visit("norms", c.norms, Any{}, "norms");
  }
};

TEST(ConfigMarkdown, ShowsTheDefaultThatTheOuterStructGives) {
  const std::string docs = markdown<Nested>();
  EXPECT_THAT(
      docs,
      HasSubstr("## `changed`\n\n| key | type | default | must be | at resume | meaning |\n|---|---|---|---|---|---|\n"
                "| `n` | integer | `7` |"));
  EXPECT_THAT(docs, HasSubstr("| `absent` | optional mapping | not set |"));
  EXPECT_THAT(docs, HasSubstr("| `norms` | list of none, head or full | `[]` |"));
  EXPECT_THAT(docs, HasSubstr("a \\| b |\n")) << "a bar would end the cell";
}

}  // namespace
}  // namespace peerless::config
