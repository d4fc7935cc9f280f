#include "peerless/config/type_of.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/example.h"

namespace peerless::config {
namespace {

struct OneOfEach {
  std::string a;
  bool b = false;
  std::optional<double> c;
  std::optional<example::DenseConfig> d;
  std::vector<double> e;
  std::vector<example::LayerConfig> f;
  example::FfwConfig g;
  example::Norm h = example::Norm::none;
  Duration i;
  LayerSet j;
  example::OptimConfig k;
  std::optional<std::vector<std::string>> l;
  std::int64_t m = 0;
};
static_assert(member_count<OneOfEach>() == 13, "no type of field may fool the count");

// It inherits two keys.
struct Derived : example::LogConfig {
  bool quiet = false;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    LogConfig::fields(c, visit);
    visit("quiet", c.quiet, Any{}, "nothing is printed");
  }
};
static_assert(member_count<Derived>() == 3, "members of bases count");

struct Forgetful {
  std::int64_t told = 0;
  std::int64_t forgotten = 0;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("told", c.told, Any{}, "has a line");
  }
};

TEST(RecordOf, RefusesAStructWithAMemberThatHasNoLine) {
  try {
    record_of<Forgetful>();
    FAIL() << "accepted";
  } catch (const std::exception& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("a config struct has 2 members, but 1 lines in fields: "));
    EXPECT_THAT(e.what(), testing::HasSubstr("Forgetful"));
  }
}

TEST(RecordOf, ReachesTheFieldsOfAnyInstance) {
  const Record& record = record_of<example::PeerConfig>();
  const example::PeerConfig peer{.num_keys = 3, .top_k = 2};
  EXPECT_EQ(*static_cast<const std::int64_t*>(record.find("top_k")->in(&peer)), 2);
  EXPECT_EQ(record.kind, "peer");
  EXPECT_EQ(record.find("topk"), nullptr);
  EXPECT_EQ(&record, &record_of<example::PeerConfig>()) << "made once";
}

TEST(RecordOf, ReachesTheFieldsOfABase) {
  const Record& record = record_of<Derived>();
  Derived derived;
  derived.every_steps = 3;
  derived.quiet = true;
  EXPECT_EQ(*static_cast<const std::int64_t*>(record.find("every_steps")->in(&derived)), 3);
  EXPECT_TRUE(*static_cast<const bool*>(record.find("quiet")->in(&derived)));
}

}  // namespace
}  // namespace peerless::config
