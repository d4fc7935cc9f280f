#include "peerless/cluster/meeting_place.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>

#include <fstream>

#include "peerless/cluster/network.h"
#include "tests/cluster/fixture.h"
#include "tests/support/complaint.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using test::complaint;

Launch on_one_host(std::uint16_t port) { return {.world_size = 2, .local_size = 2, .host = "node1", .port = port}; }
Launch on_two_hosts(const std::string& host, std::uint16_t port) {
  return {.world_size = 2, .local_size = 1, .host = host, .port = port};
}

// "0xc0000202", a name for all we know.
std::string in_hex(const std::string& address) {
  in_addr bytes{};
  EXPECT_EQ(inet_pton(AF_INET, address.c_str(), &bytes), 1) << address;
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", ntohl(bytes.s_addr));
  return text;
}

// Whether somebody listens there.
bool listens(const cluster::Address& address) {
  try {
    cluster::connect_to(address.host, address.port, cluster::Clock::now() + std::chrono::seconds(2));
    return true;
  } catch (const Error&) {
    return false;
  }
}

class Opened {
 public:
  explicit Opened(MeetingPlace place) : opened_(place.open()) {}
  ~Opened() { close(opened_.listening); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  const cluster::Address& address() const { return opened_.address; }

 private:
  MeetingPlace::Opened opened_;
};

TEST(MeetingPlace, OfOneHostIsTheLoopbackAddressAlone) {
  const auto launch = on_one_host(test::port_nobody_listens_at());
  const Opened opened{MeetingPlace(launch)};
  const auto found = MeetingPlace(launch).find();
  ASSERT_TRUE(found);
  EXPECT_EQ(concat(found->host, ":", found->port), concat("127.0.0.1:", launch.port));
  EXPECT_TRUE(listens(*found));
  EXPECT_FALSE(listens({host_address(), launch.port})) << "nobody outside needs it";
}

// A host often has its own name at 127.0.1.1.
TEST(MeetingPlace, OfSeveralHostsIsNoLoopbackAddress) {
  const auto port = test::port_nobody_listens_at();
  const Opened opened{MeetingPlace(on_two_hosts(in_hex("127.0.1.1"), port))};
  EXPECT_EQ(opened.address().host, host_address());
  EXPECT_FALSE(is_loopback(host_address()));
  EXPECT_TRUE(listens({host_address(), port}));
  EXPECT_FALSE(listens({"127.0.0.1", port}));
  // The other processes of this host find it there too.
  EXPECT_EQ(MeetingPlace(on_two_hosts(in_hex("127.0.1.1"), port)).find(), opened.address());
  // Another name stays as it is.
  const auto name = in_hex(host_address());
  EXPECT_EQ(MeetingPlace(on_two_hosts(name, port)).find()->host, name);
}

// Several virtual hosts of one machine.
TEST(MeetingPlace, ALoopbackAddressThatIsAskedForIsUsed) {
  const auto launch = on_two_hosts("127.0.0.1", test::port_nobody_listens_at());
  const Opened opened{MeetingPlace(launch)};
  EXPECT_TRUE(listens(*MeetingPlace(launch).find()));
  EXPECT_FALSE(listens({host_address(), launch.port}));
}

TEST(MeetingPlace, ByAFileIsFoundOnceItIsWritten) {
  const TemporaryFolder folder;
  const auto board = file_board(folder / "board");
  const auto launch = on_one_host(0);
  EXPECT_EQ(MeetingPlace(launch, board).find(), std::nullopt);
  const Opened first{MeetingPlace(launch, board)};
  EXPECT_EQ(MeetingPlace(launch, board).find(), first.address());
  EXPECT_TRUE(listens(first.address()));
  const Opened second{MeetingPlace(launch, board)};
  EXPECT_EQ(MeetingPlace(launch, board).find(), second.address());
  EXPECT_NE(first.address().start, second.address().start);
}

// Who is sent elsewhere by a forged text does not ask for the start that rank 0 made, though its digits are there.
TEST(MeetingPlace, AStartIsNamedByItsAddressToo) {
  std::string text;
  const Board board{[&](const std::string& written) { text = written; },
                    [&] { return std::optional<std::string>(text); }};
  const Opened opened{MeetingPlace(on_one_host(0), board)};
  const auto true_port = concat(" ", opened.address().port, " ");
  text.replace(text.find(true_port), true_port.size(), " 5 ");
  const auto forged = MeetingPlace(on_one_host(0), board).find();
  ASSERT_TRUE(forged);
  EXPECT_EQ(forged->port, 5);
  EXPECT_NE(forged->start, opened.address().start);
}

TEST(MeetingPlace, WhatIsNoAddressOnTheBoardIsNone) {
  for (const char* text : {"", "127.0.0.1 1", "127.0.0.1 1 a", "127.0.0.1 x a\n", "127.0.0.1 70000 a\n", "a b c d\n"}) {
    const Board board{[](const std::string&) {}, [text] { return std::optional<std::string>(text); }};
    EXPECT_EQ(MeetingPlace(on_one_host(0), board).find(), std::nullopt) << text;
  }
}

TEST(MeetingPlace, MoreOpenFilesThanAreAllowedAreRefused) {
  EXPECT_THAT(complaint(ExitCode::config, [] { provide_descriptors(std::int64_t{1} << 40); }),
              testing::StartsWith("a process needs 2199023255808 open files among 1099511627776, but at most "));
}

TEST(MeetingPlace, WhereRank0CannotListenIsSaid) {
  const auto taken = test::listen_on_loopback();
  EXPECT_EQ(complaint(ExitCode::config, [&] { Opened{MeetingPlace(on_one_host(taken.port))}; }),
            concat("rank 0 cannot listen at 127.0.0.1:", taken.port,
                   ": Address already in use; the address must be of rank 0's host and the port free: set MASTER_ADDR "
                   "and MASTER_PORT"));
  close(taken.descriptor);
}

}  // namespace
}  // namespace peerless
