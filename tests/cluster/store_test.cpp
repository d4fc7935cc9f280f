#include "peerless/cluster/store.h"

#include <gmock/gmock.h>

namespace peerless::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = Message::Kind;
using Texts = std::vector<std::string>;

constexpr std::int64_t kNobody = -1;

class CoordinatorStore : public ::testing::Test {
 protected:
  // Answers as "client/id: number, texts" or "client/id failed: code, why".
  Texts answers_ = {};
  Store store_{[this](std::int64_t client, const Message& answer) {
    const auto what = answer.kind == Kind::failed ? " failed: " : ": ";
    answers_.push_back(concat(client, "/", answer.id, what, answer.number, ", ", join(answer.texts, " ")));
    last_ = answer;
    return client != full_;
  }};
  std::int64_t full_ = kNobody - 1;  // takes no more
  Message last_ = {};
  const Time start_ = Clock::now();

  void ask(std::int64_t client, std::uint64_t id, Kind kind, const Texts& texts, std::int64_t number = 0,
           milliseconds after = {}) {
    store_.handle(client, {.kind = kind, .id = id, .number = number, .texts = texts}, start_ + after);
  }
  Message answer(Kind kind, const Texts& texts, std::int64_t number = 0) {
    last_ = {};
    ask(0, 1, kind, texts, number);
    return last_;
  }
  std::string value(const std::string& key) { return answer(Kind::get, {key}).texts.at(0); }
  std::string failure(Kind kind, const Texts& texts, std::int64_t number = 0) {
    const auto failed = answer(kind, texts, number);
    EXPECT_EQ(failed.kind, Kind::failed);
    EXPECT_EQ(failed.number, static_cast<std::int64_t>(ExitCode::internal));
    return failed.texts.at(0);
  }
  Texts take() { return std::exchange(answers_, {}); }
};

TEST_F(CoordinatorStore, HoldsBytesUnderKeys) {
  const std::string bytes("a\0\xff", 3);
  answer(Kind::set, {"k", bytes});
  EXPECT_EQ(value("k"), bytes);
  answer(Kind::set, {"k", "other"});
  answer(Kind::set, {"", ""});
  EXPECT_EQ(value("k"), "other");
  EXPECT_EQ(answer(Kind::get, {"", "k"}).texts, (Texts{"", "other"}));
  EXPECT_EQ(answer(Kind::count, {}).number, 2);
}

TEST_F(CoordinatorStore, CountersAreDecimalText) {
  EXPECT_EQ(answer(Kind::add, {"n"}, 5).number, 5);
  EXPECT_EQ(answer(Kind::add, {"n"}, -8).number, -3);
  EXPECT_EQ(value("n"), "-3");
  answer(Kind::set, {"m", "9223372036854775800"});
  EXPECT_EQ(answer(Kind::add, {"m"}, 7).number, 9223372036854775807);
  EXPECT_EQ(failure(Kind::add, {"m"}, 1), "the store: counter 'm' overflows");
  for (const auto* const no_number : {"", "1x", " 1", "9223372036854775808"}) {
    answer(Kind::set, {"word\n", no_number});
    EXPECT_EQ(failure(Kind::add, {"word\n"}, 1), "the store: 'word\\x0a' is no counter");
    EXPECT_EQ(value("word\n"), no_number);
  }
}

TEST_F(CoordinatorStore, AppendsAndRemoves) {
  answer(Kind::append, {"k", "one "});
  answer(Kind::append, {"k", "two"});
  EXPECT_EQ(value("k"), "one two");
  EXPECT_EQ(answer(Kind::remove, {"k"}).number, 1);
  EXPECT_EQ(answer(Kind::remove, {"k"}).number, 0);
  EXPECT_EQ(answer(Kind::count, {}).number, 0);
}

TEST_F(CoordinatorStore, ComparesAndSetsAsC10dDoes) {
  EXPECT_EQ(answer(Kind::compare_set, {"k", "expected", "desired"}).texts, Texts{"expected"});
  EXPECT_EQ(answer(Kind::check, {"k"}).number, 0);
  EXPECT_EQ(answer(Kind::compare_set, {"k", "", "first"}).texts, Texts{"first"});
  EXPECT_EQ(answer(Kind::compare_set, {"k", "", "second"}).texts, Texts{"first"});
  EXPECT_EQ(answer(Kind::compare_set, {"k", "first", "second"}).texts, Texts{"second"});
  EXPECT_EQ(value("k"), "second");
}

TEST_F(CoordinatorStore, ChecksThatAllKeysAreThere) {
  answer(Kind::set, {"a", ""});
  EXPECT_EQ(answer(Kind::check, {"a"}).number, 1);
  EXPECT_EQ(answer(Kind::check, {"a", "b"}).number, 0);
  EXPECT_EQ(answer(Kind::check, {}).number, 1);
}

TEST_F(CoordinatorStore, WhoWaitsIsAnsweredOnceAllKeysAreThere) {
  ask(1, 11, Kind::get, {"a", "b"}, 1000);
  ask(2, 12, Kind::wait, {"b"}, 1000);
  EXPECT_THAT(take(), IsEmpty());
  ask(0, 1, Kind::set, {"b", "B"});
  EXPECT_THAT(take(), ElementsAre("2/12: 0, ", "0/1: 0, "));
  ask(0, 2, Kind::add, {"a"}, 3);
  EXPECT_THAT(take(), ElementsAre("1/11: 0, 3 B", "0/2: 3, "));
  EXPECT_EQ(store_.next_expiry(), Time::max());
}

TEST_F(CoordinatorStore, EveryWayToMakeAKeyAnswersWhoWaits) {
  for (const auto kind : {Kind::set, Kind::append, Kind::compare_set}) {
    ask(1, 5, Kind::wait, {"k"}, 1000);
    ask(0, 1, kind, kind == Kind::compare_set ? Texts{"k", "", "x"} : Texts{"k", "x"});
    EXPECT_EQ(take().at(0), "1/5: 0, ");
    ask(0, 1, Kind::remove, {"k"});
    take();
  }
}

TEST_F(CoordinatorStore, AKeyThatGoesAgainIsWaitedForAgain) {
  ask(1, 5, Kind::get, {"a", "b"}, 1000);
  answer(Kind::set, {"a", "1"});
  answer(Kind::remove, {"a"});
  take();
  answer(Kind::set, {"b", "2"});
  EXPECT_THAT(take(), ElementsAre("0/1: 0, "));
  answer(Kind::set, {"a", "3"});
  EXPECT_THAT(take(), ElementsAre("1/5: 0, 3 2", "0/1: 0, "));
}

TEST_F(CoordinatorStore, PatienceEnds) {
  ask(1, 5, Kind::get, {"a", "b\n"}, 2500);
  ask(2, 6, Kind::wait, {"a"}, 9000);
  answer(Kind::set, {"a", ""});
  take();
  EXPECT_EQ(store_.next_expiry(), start_ + milliseconds(2500));
  store_.expire(start_ + milliseconds(2499));
  EXPECT_THAT(take(), IsEmpty());
  store_.expire(start_ + milliseconds(2500));
  EXPECT_THAT(take(), ElementsAre("1/5 failed: 76, the store: nobody set key 'b\\x0a' within 2.5 s"));
  answer(Kind::set, {"b\n", ""});
  EXPECT_THAT(take(), ElementsAre("0/1: 0, "));
}

TEST_F(CoordinatorStore, WithoutPatienceAnAnswerComesAtOnce) {
  for (const std::int64_t none : {std::int64_t{0}, std::numeric_limits<std::int64_t>::min()}) {
    ask(1, 5, Kind::wait, {"k"}, none);
    EXPECT_THAT(take(), ElementsAre("1/5 failed: 76, the store: nobody set key 'k' within 0 s"));
  }
  ask(1, 5, Kind::wait, {"k"}, std::numeric_limits<std::int64_t>::max());
  store_.expire(start_ + std::chrono::hours(24 * 300));
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(CoordinatorStore, WhoIsForgottenGetsNoAnswer) {
  ask(1, 5, Kind::wait, {"k"}, 1000);
  ask(2, 6, Kind::wait, {"k"}, 1000);
  store_.forget(1);
  ask(kNobody, 1, Kind::set, {"k", ""});
  EXPECT_THAT(take(), ElementsAre("2/6: 0, ", "-1/1: 0, "));
}

TEST_F(CoordinatorStore, WhoTakesNoMoreGetsNoMoreUntilItIsForgotten) {
  full_ = 1;
  for (const std::uint64_t id : {5, 6, 7}) ask(1, id, Kind::wait, {"k"}, 1000);
  ask(2, 8, Kind::wait, {"k"}, 1000);
  ask(kNobody, 1, Kind::set, {"k", ""});
  EXPECT_THAT(take(), ElementsAre("1/5: 0, ", "2/8: 0, ", "-1/1: 0, "));
  ask(1, 9, Kind::count, {});
  ask(1, 10, Kind::get, {"k"});
  EXPECT_THAT(take(), IsEmpty());
  full_ = kNobody - 1;
  store_.forget(1);
  ask(1, 11, Kind::count, {});
  EXPECT_THAT(take(), ElementsAre("1/11: 1, "));
}

TEST_F(CoordinatorStore, IsBounded) {
  answer(Kind::set, {std::string(1024, 'k'), std::string(kMaxValue, 'v')});
  EXPECT_EQ(last_.kind, Kind::reply);
  EXPECT_EQ(failure(Kind::set, {std::string(1025, 'k'), ""}), "the store takes no key of 1025 bytes, at most 1024");
  EXPECT_EQ(failure(Kind::wait, {"k", std::string(1025, 'k')}, 1000),
            "the store takes no key of 1025 bytes, at most 1024");
  EXPECT_EQ(failure(Kind::set, {"k", std::string(kMaxValue + 1, 'v')}),
            "the store takes no value of 16777217 bytes, at most 16777216");
  EXPECT_EQ(failure(Kind::append, {std::string(1024, 'k'), "v"}),
            "the store takes no value of 16777217 bytes, at most 16777216");
  EXPECT_EQ(answer(Kind::count, {}).number, 1);
}

TEST_F(CoordinatorStore, HoldsAtMost256MiBInAll) {
  const std::string value(kMaxValue - 64 - 2, 'v');
  for (int i = 10; i < 26; ++i) answer(Kind::set, {std::to_string(i), value});
  EXPECT_EQ(last_.kind, Kind::reply);
  const auto full = "the store is full: it holds at most 268435456 bytes";
  EXPECT_EQ(failure(Kind::set, {"", ""}), full);
  EXPECT_EQ(failure(Kind::append, {"10", "v"}), full);
  answer(Kind::set, {"10", value.substr(66)});
  EXPECT_EQ(answer(Kind::set, {"k", "v"}).kind, Kind::reply) << "66 bytes are free";
  EXPECT_EQ(failure(Kind::append, {"k", "v"}), full);
  answer(Kind::remove, {"25"});
  EXPECT_EQ(answer(Kind::set, {"25", value}).kind, Kind::reply);
}

TEST_F(CoordinatorStore, CountsTheKeysThatSomebodyWaitsFor) {
  const std::string full = "the store is full: it holds at most 268435456 bytes";
  Texts keys(kMaxTexts, std::string(1024, 'k'));
  constexpr int kFit = 60;  // requests of 4096 keys, each 1 KiB and its upkeep
  for (int i = 0; i < kFit; ++i) ask(i % 2, 1, Kind::wait, keys, 60'000);
  EXPECT_THAT(answers_, IsEmpty());
  EXPECT_EQ(failure(Kind::wait, keys, 60'000), full);
  EXPECT_EQ(failure(Kind::set, {"big", std::string(kMaxValue, 'v')}), full);

  store_.forget(1);
  EXPECT_EQ(answer(Kind::set, {"big", std::string(kMaxValue, 'v')}).kind, Kind::reply);
  store_.expire(start_ + seconds(60));
  ask(0, 2, Kind::get, keys, 60'000);
  answer(Kind::set, {keys[0], ""});  // answers it
  answer(Kind::remove, {keys[0]});
  take();
  for (int i = 0; i < kFit - 4; ++i) ask(0, 1, Kind::wait, keys, 60'000);  // big takes the place of 4
  EXPECT_THAT(answers_, IsEmpty());
  EXPECT_EQ(failure(Kind::wait, keys, 60'000), full);
}

TEST_F(CoordinatorStore, GivesAtMostTwoOfTheLargestValuesAtOnce) {
  answer(Kind::set, {"k", std::string(kMaxValue, 'v')});
  EXPECT_EQ(answer(Kind::get, {"k", "k"}).texts.size(), 2U);
  answer(Kind::set, {"l", "v"});
  EXPECT_EQ(failure(Kind::get, {"k", "k", "l"}), "the store gives at most 33554432 bytes at once, asked for 33554433");
  EXPECT_EQ(answer(Kind::wait, {"k", "k", "l"}).kind, Kind::reply);
}

}  // namespace
}  // namespace peerless::cluster
