#include "peerless/cluster/link.h"

#include <fcntl.h>

#include "tests/cluster/fixture.h"
#include "tests/support/complaint.h"

namespace peerless::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A link, and the other side by hand.
class CoordinatorLink : public ::testing::Test {
 protected:
  test::Listening listening_ = test::listen_on_loopback();
  Link link_{connect_to("127.0.0.1", listening_.port, Clock::now() + seconds(5)), seconds(60), kMaxMessage};
  std::unique_ptr<test::RawConnection> other_ = std::make_unique<test::RawConnection>(listening_);

  ~CoordinatorLink() override { ::close(listening_.descriptor); }

  // One round of a poll loop.
  std::optional<Message> round(milliseconds time = milliseconds(20)) {
    wait_for({&link_}, {}, Clock::now() + time);
    link_.exchange();
    return link_.next();
  }
};

// The other side ends with what we sent unread, so that the system resets the connection; we write on, which fails.
TEST_F(CoordinatorLink, WhatWasSaidBeforeTheEndIsHeard) {
  const Message last{.kind = Message::Kind::lost, .rank = 3, .texts = {"why"}};
  link_.post({.kind = Message::Kind::count});
  other_->send(last);
  other_.reset();
  for (int i = 0; i < 3; ++i) link_.post({.kind = Message::Kind::count});
  EXPECT_EQ(round(), last);
  EXPECT_EQ(test::complaint([&] { round(); }), (test::Complaint{ExitCode::peer, "its connection closed"}));
}

TEST_F(CoordinatorLink, WhatComesInPiecesIsPutTogether) {
  const Message message{.kind = Message::Kind::set, .texts = {"key", "value"}};
  const auto bytes = encode(message) + encode(message);
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    other_->send(bytes.substr(i, 1));
    const auto received = round();
    EXPECT_EQ(received.has_value(), i + 1 == bytes.size() / 2) << i;
  }
  other_->send(bytes.substr(bytes.size() - 1));
  EXPECT_EQ(round(), message);
}

// Who takes in what waits for him is not silent, even where he has no time to say anything.
TEST_F(CoordinatorLink, ToTakeInIsToBeHeardOf) {
  link_.post({.kind = Message::Kind::set, .texts = {"k", std::string(kMaxValue, 'v')}});
  ASSERT_GT(link_.unsent(), 0U);
  const auto before = link_.heard();
  std::this_thread::sleep_for(milliseconds(5));
  link_.post({.kind = Message::Kind::count});
  round();
  EXPECT_EQ(link_.heard(), before) << "nothing was taken in";
  auto received = std::async(std::launch::async, [&] { return other_->receive(); });
  while (link_.unsent() > 0) round();
  EXPECT_GT(link_.heard(), before);
  EXPECT_EQ(received.get()->texts[1].size(), kMaxValue);
}

TEST_F(CoordinatorLink, WhileMuchIsUnsentNothingIsTakenIn) {
  link_.set_limits(kMaxMessage, 1000);
  link_.post({.kind = Message::Kind::set, .texts = {"k", std::string(kMaxValue, 'v')}});
  ::fcntl(other_->descriptor(), F_SETFL, O_NONBLOCK);
  const std::string part(1 << 16, 'x');
  std::size_t sent = 0;
  for (int i = 0; i < 2000; ++i) {
    sent += static_cast<std::size_t>(std::max<ssize_t>(::send(other_->descriptor(), part.data(), part.size(), 0), 0));
    EXPECT_FALSE(round(milliseconds(0)));
  }
  EXPECT_LT(sent, std::size_t{64} << 20) << "more than a system keeps for a connection";
}

}  // namespace
}  // namespace peerless::cluster
