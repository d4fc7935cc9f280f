#include "peerless/train/agreement.h"

#include <gtest/gtest.h>

#include "tests/support/complaint.h"
#include "tests/support/local_group.h"

namespace peerless {
namespace {

TEST(Agreement, NamesEveryProcessOfAnotherProgram) {
  test::in_group(3, [](Communicator& communicator) {
    const auto said = [&](const std::string& version) {
      return test::complaint([&] { check_same_program(communicator, version); });
    };
    EXPECT_EQ(said("peerless 1 (a)").text, "");
    EXPECT_EQ(said(communicator.rank() == 0 ? "peerless 1 (a)" : "peerless 1 (b)"),
              (test::Complaint{ExitCode::config,
                               "version: peerless 1 (a) in process 0; peerless 1 (b) in processes 1-2; all must run "
                               "the same program"}));
  });
}

TEST(Agreement, NamesWhoWouldTrainOnWhat) {
  test::in_group(4, [](Communicator& communicator) {
    const auto device = communicator.rank() == 1 ? at::kCPU : at::kCUDA;
    EXPECT_EQ(test::complaint([&] { check_same_device(communicator, device); }).text,
              "device: cuda in processes 0, 2-3; cpu in process 1; say device: cuda, and those without a GPU tell why");
  });
}

TEST(Agreement, NamesTheDataAndWhoHasOthers) {
  test::in_group(3, [](Communicator& communicator) {
    const Digest same{0, 1}, other{0, communicator.rank() == 1 ? 2u : 3u};
    const auto said = [&](const Digest& val) {
      return test::complaint([&] { check_same_data(communicator, {{"data.train", same}, {"data.val[0]", val}}); }).text;
    };
    EXPECT_EQ(said(same), "");
    EXPECT_EQ(said(other), concat("data.val[0]: digest ", Digest{0, 3}.hex(), " in processes 0, 2; digest ",
                                  Digest{0, 2}.hex(), " in process 1; all need the same files"));
  });
}

}  // namespace
}  // namespace peerless
