// Every committed input through its target, in every build: what once was a fault stays mended.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <vector>

#include "tests/fuzz/targets.h"

namespace peerless::fuzz {
namespace {

namespace fs = std::filesystem;

const fs::path kCorpus = "tests/fuzz/corpus";

std::vector<std::uint8_t> content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class FuzzCorpus : public testing::TestWithParam<Target> {};

TEST_P(FuzzCorpus, HoldsNothingThatBreaksAnInvariant) {
  std::size_t inputs = 0;
  for (const auto& entry : fs::directory_iterator(kCorpus / GetParam().name)) {
    SCOPED_TRACE(entry.path());
    bool accepted = false;
    EXPECT_NO_THROW(accepted = GetParam().run(content(entry.path())));
    EXPECT_TRUE(accepted || !entry.path().filename().string().starts_with("valid"));
    ++inputs;
  }
  EXPECT_GT(inputs, 0u);
}

TEST_P(FuzzCorpus, MayBeEmptyBytes) { EXPECT_NO_THROW(GetParam().run({})); }

INSTANTIATE_TEST_SUITE_P(Targets, FuzzCorpus, testing::ValuesIn(kTargets),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(FuzzCorpora, AreThoseOfTheTargets) {
  std::set<std::string> folders, targets;
  for (const auto& entry : fs::directory_iterator(kCorpus)) folders.insert(entry.path().filename());
  for (const auto& target : kTargets) targets.emplace(target.name);
  EXPECT_EQ(folders, targets);
}

}  // namespace
}  // namespace peerless::fuzz
