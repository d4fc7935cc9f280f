#include "peerless/cluster/node_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/complaint.h"

namespace peerless {
namespace {

using testing::ElementsAre;

std::vector<std::string> expand(std::string_view list) { return expand_node_list(list, "SLURM_STEP_NODELIST"); }

std::string refused(const std::string& list) {
  return test::complaint(ExitCode::config, [&] { expand(list); });
}

TEST(NodeList, ANameStandsForItself) {
  EXPECT_THAT(expand("n1"), ElementsAre("n1"));
  EXPECT_THAT(expand("login-2.cluster_a"), ElementsAre("login-2.cluster_a"));
  EXPECT_THAT(expand("b,a,b"), ElementsAre("b", "a", "b"));
}

TEST(NodeList, BracketsHoldNumbersAndRanges) {
  EXPECT_THAT(expand("node[01-03,7],x5"), ElementsAre("node01", "node02", "node03", "node7", "x5"));
  EXPECT_THAT(expand("n[1,3]"), ElementsAre("n1", "n3"));
  EXPECT_THAT(expand("n[5-5]"), ElementsAre("n5"));
  EXPECT_THAT(expand("[1-2]"), ElementsAre("1", "2"));
  EXPECT_THAT(expand("n[9223372036854775806-9223372036854775807]"),
              ElementsAre("n9223372036854775806", "n9223372036854775807"));
}

TEST(NodeList, RangesKeepTheLeadingZerosOfTheirFirstNumber) {
  EXPECT_THAT(expand("n[08-11]"), ElementsAre("n08", "n09", "n10", "n11"));
  EXPECT_THAT(expand("n[8-11]"), ElementsAre("n8", "n9", "n10", "n11"));
  EXPECT_THAT(expand("n[099-100]"), ElementsAre("n099", "n100"));
  EXPECT_THAT(expand("n[99-101]"), ElementsAre("n99", "n100", "n101"));
  EXPECT_THAT(expand("n[000-001]"), ElementsAre("n000", "n001"));
}

TEST(NodeList, TheLastOfSeveralBracketsVariesFastest) {
  EXPECT_THAT(expand("rack[1-2]n[01-02]"), ElementsAre("rack1n01", "rack1n02", "rack2n01", "rack2n02"));
  EXPECT_THAT(expand("r[1-2][3,4]"), ElementsAre("r13", "r14", "r23", "r24"));
}

TEST(NodeList, ANameMayGoOnAfterItsBrackets) {
  EXPECT_THAT(expand("n[1-2]-ib,m[3].cluster"), ElementsAre("n1-ib", "n2-ib", "m3.cluster"));
}

TEST(NodeList, RefusesWhatIsMalformed) {
  const std::string characters = "no character of a name, at ", range = "neither number nor range, at ";
  const std::pair<std::string, std::string> table[] = {
      {"", "a name is empty, at ''"},
      {",n1", "a name is empty, at ',n1'"},
      {"n1,", "a name is empty, at ''"},
      {"n1,,n2", "a name is empty, at ',n2'"},
      {"n[1-3", "a bracket without end, at '[1-3'"},
      {"a,n[1,b", "a bracket without end, at '[1,b'"},
      {"n1-3],b", characters + "'n1-3],b'"},
      {"n 1", characters + "'n 1'"},
      {"a,n\n1", characters + "'n\\x0a1'"},
      {"(null)", characters + "'(null)'"},
      {"n[]", range + "'[]'"},
      {"n[1,]", range + "'[1,]'"},
      {"n[1-]", range + "'[1-]'"},
      {"n[3-1]", range + "'[3-1]'"},
      {"n[1-2-3]", range + "'[1-2-3]'"},
      {"n[-1]", range + "'[-1]'"},
      {"n[a-c]", range + "'[a-c]'"},
      {"n[1e1]", range + "'[1e1]'"},
      {"n[1[2]]", range + "'[1[2]]'"},
      {"n[99999999999999999999]", range + "'[99999999999999999999]'"},
  };
  for (const auto& [list, fault] : table) {
    EXPECT_EQ(refused(list), "SLURM_STEP_NODELIST: " + fault + "; expected up to 4096 names, as in node[01-03,7],x5");
  }
}

TEST(NodeList, HoldsUpTo4096Nodes) {
  EXPECT_EQ(expand("n[1-4096]").back(), "n4096");
  EXPECT_EQ(expand("a[1-64]b[1-64]").back(), "a64b64");
  for (const auto* list : {"n[1-4097]", "n[0-999999999999999999]", "n[1-4095,1-2]", "a[1-64]b[1-65]", "a[1-4096],b",
                           "a[1-4000],b[1-4000]", "a[1-3000][1-3000][1-3000]"}) {
    EXPECT_THAT(refused(list), testing::StartsWith("SLURM_STEP_NODELIST: too many nodes, at '")) << list;
  }
  std::string many = "n[1";
  for (int i = 0; i < 10'000; ++i) many += ",1-4000";  // GB of names
  EXPECT_THAT(refused(many + "]"), testing::StartsWith("SLURM_STEP_NODELIST: too many nodes, at '"));
}

TEST(NodeList, ANameHasUpTo253Characters) {
  EXPECT_EQ(expand(std::string(253, 'n')).size(), 1u);
  EXPECT_EQ(refused(std::string(254, 'n')), "SLURM_STEP_NODELIST: a name is too long, at '" + std::string(80, 'n') +
                                                "'; expected up to 4096 names, as in node[01-03,7],x5");
  const std::string zeros(100'000, '0');
  for (const auto& list :
       {concat(std::string(253, 'n'), "[1-4096]"), concat("n[", zeros, "-4095]"), concat("[1-4096]", zeros)}) {
    EXPECT_THAT(refused(list), testing::StartsWith("SLURM_STEP_NODELIST: a name is too long, at '"));
  }
}

}  // namespace
}  // namespace peerless
