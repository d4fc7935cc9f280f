#include "peerless/cluster/secret.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/cluster/launch_environments.h"
#include "tests/support/complaint.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using test::complaint;
using test::Complaint;
using test::environment_of;

class Secret : public testing::Test {
 protected:
  std::string file(const std::string& content, mode_t mode = 0600) {
    const auto path = (folder_.path() / "secret").string();
    std::ofstream(path) << content;
    chmod(path.c_str(), mode);
    return path;
  }
  static std::string from_file(const std::string& path) {
    return find_secret(environment_of({{"PEERLESS_SECRET_FILE", path}}));
  }
  static Complaint refusal(const std::string& path) {
    return complaint([&] { from_file(path); });
  }

  TemporaryFolder folder_;
};

TEST_F(Secret, IsEmptyWhereNoneIsGiven) { EXPECT_EQ(find_secret(environment_of({})), ""); }

TEST_F(Secret, ComesFromTheEnvironmentOrAFile) {
  EXPECT_EQ(find_secret(environment_of({{"PEERLESS_SECRET", "0123456789 abcde"}})), "0123456789 abcde");
  EXPECT_EQ(from_file(file("0123456789 abcde\r\n\n")), "0123456789 abcde");
  EXPECT_EQ(from_file(file(std::string(4096, 's'), 0400)).size(), 4096U);
}

TEST_F(Secret, OfTwoPlacesIsRefused) {
  EXPECT_EQ(complaint([] {
              find_secret(environment_of({{"PEERLESS_SECRET", "a"}, {"PEERLESS_SECRET_FILE", "b"}}));
            }),
            (Complaint{ExitCode::config, "PEERLESS_SECRET and PEERLESS_SECRET_FILE are both set; unset one"}));
}

TEST_F(Secret, ThatIsTooShortOrTooLongIsRefused) {
  EXPECT_EQ(complaint([] {
              find_secret(environment_of({{"PEERLESS_SECRET", "0123456789abcde"}}));
            }),
            (Complaint{ExitCode::config,
                       "PEERLESS_SECRET: has 15 bytes, a secret has 16 to 4096; `openssl rand -hex 32` makes one"}));
  const auto path = file(std::string(4097, 's'));
  EXPECT_EQ(refusal(path),
            (Complaint{ExitCode::config, concat("PEERLESS_SECRET_FILE: ", path, ": has more than 4096 bytes, a secret ",
                                                "has 16 to 4096; `openssl rand -hex 32` makes one")}));
}

TEST_F(Secret, InAFileThatOthersMayReadIsRefused) {
  for (const mode_t mode : {0640U, 0604U, 0620U, 0601U}) {
    const auto path = file("0123456789abcdef", mode);
    EXPECT_EQ(refusal(path),
              (Complaint{ExitCode::config, concat("PEERLESS_SECRET_FILE: ", path, ": others may use it; chmod 600")}));
  }
}

TEST_F(Secret, InWhatIsNoFileOfOursIsRefused) {
  const auto said = [](const std::string& path, const char* why) {
    return Complaint{ExitCode::config, concat("PEERLESS_SECRET_FILE: ", path, ": ", why)};
  };
  const auto missing = (folder_.path() / "none").string();
  EXPECT_EQ(refusal(missing), said(missing, "No such file or directory"));
  EXPECT_EQ(refusal("/"), said("/", "is no file that can be read"));
  const auto pipe = (folder_.path() / "pipe").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(refusal(pipe), said(pipe, "is no file that can be read"));
  if (geteuid() != 0) return;  // only root can give a file away
  const auto path = file("0123456789abcdef");
  ASSERT_EQ(chown(path.c_str(), 12345, 12345), 0);
  EXPECT_EQ(refusal(path), said(path, "belongs to another user"));
}

}  // namespace
}  // namespace peerless
