#include <gtest/gtest.h>

#include "tests/cluster/launch_environments.h"

namespace peerless {
namespace {

using test::detect;
using test::kByHand;
using test::kMpiexec;
using test::kMpiexecInSlurm;
using test::kMpirun;
using test::kMpirunInSlurm;
using test::kSrun;
using test::kTorchrun;
using test::refused;
using test::Variables;
using test::with;

const std::string kOrFlags =
    ", or place the processes by --rank, --world-size, --local-rank, --local-size and --rendezvous";

TEST(Launch, WhatIsMissingIsNamed) {
  for (const std::string name :
       {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT"}) {
    EXPECT_EQ(refused(with(kTorchrun, {{name, ""}})),
              "launched by torchrun, but " + name + " is not set; set it" + kOrFlags);
  }
  for (const std::string name : {"SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_JOB_ID"}) {
    EXPECT_EQ(refused(with(kSrun, {{name, ""}})), "launched by Slurm, but " + name + " is not set; set it" + kOrFlags);
  }
  EXPECT_EQ(refused(with(kSrun, {{"SLURM_STEP_TASKS_PER_NODE", ""}, {"SLURM_TASKS_PER_NODE", ""}})),
            "launched by Slurm, but SLURM_STEP_TASKS_PER_NODE is not set; set it" + kOrFlags);
  EXPECT_EQ(refused(with(kSrun, {{"SLURM_STEP_NODELIST", ""}, {"SLURM_JOB_NODELIST", ""}})),
            "launched by Slurm, but SLURM_STEP_NODELIST is not set; set it" + kOrFlags);
  for (const std::string name :
       {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"}) {
    EXPECT_EQ(refused(with(kMpirun, {{name, ""}})),
              "launched by Open MPI, but " + name + " is not set; set it" + kOrFlags);
  }
  for (const std::string name : {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"}) {
    EXPECT_EQ(refused(with(kMpiexec, {{name, ""}})), "launched by PMI, but " + name + " is not set; set it" + kOrFlags);
  }
  for (const std::string name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"}) {
    EXPECT_EQ(refused(with(kByHand, {{name, ""}})),
              "launched by environment, but " + name + " is not set; set it" + kOrFlags);
  }
}

TEST(Launch, AMissingMasterIsNamedWithWhatItIs) {
  const std::string host = ", but MASTER_ADDR is not set; set it to the host of rank 0" + kOrFlags;
  const std::string port =
      ", but MASTER_PORT is not set; set it to a port that is free on the host of rank 0" + kOrFlags;
  EXPECT_EQ(refused(with(kTorchrun, {{"MASTER_ADDR", ""}})), "launched by torchrun" + host);
  EXPECT_EQ(refused(with(kTorchrun, {{"MASTER_PORT", ""}})), "launched by torchrun" + port);
  EXPECT_EQ(refused(with(kByHand, {{"MASTER_ADDR", ""}})), "launched by environment" + host);
  EXPECT_EQ(refused(with(kByHand, {{"MASTER_PORT", ""}})), "launched by environment" + port);
  EXPECT_EQ(refused(kMpirunInSlurm), "launched by Open MPI" + host);
  EXPECT_EQ(refused(with(kMpirun, {{"PMIX_NAMESPACE", ""}})), "launched by Open MPI" + port);
  EXPECT_EQ(refused(kMpiexecInSlurm), "launched by PMI" + host);
  EXPECT_EQ(refused(kMpiexec), "launched by PMI" + port);
}

TEST(Launch, AMissingFlagIsNamed) {
  const std::string together =
      " is missing; a process is placed by --rank, --world-size, --local-rank, --local-size and --rendezvous together";
  EXPECT_EQ(refused(kSrun, {.rank = 0}), "--world-size" + together);
  EXPECT_EQ(refused(kSrun, {.world_size = 2}), "--rank" + together);
  EXPECT_EQ(refused(kSrun, {.local_rank = 0}), "--world-size" + together);
  EXPECT_EQ(refused(kSrun, {.local_size = 1}), "--world-size" + together);
  EXPECT_EQ(refused(kSrun, {.rendezvous = "node1:1"}), "--world-size" + together);
  EXPECT_EQ(refused({}, {.rank = 0, .world_size = 2, .local_rank = 0, .rendezvous = "localhost:1"}),
            "--local-size" + together);
  EXPECT_EQ(refused({}, {.rank = 0, .world_size = 2, .local_size = 2, .rendezvous = "localhost:1"}),
            "--local-rank" + together);
  const std::string where =
      "--rendezvous is missing; say where the processes meet: --rendezvous HOST:PORT or file:PATH, or set MASTER_ADDR "
      "and MASTER_PORT";
  EXPECT_EQ(refused({}, {.rank = 0, .world_size = 2}), where);
  EXPECT_EQ(refused({{"MASTER_ADDR", "node1"}}, {.rank = 0, .world_size = 2}), where);
}

TEST(Launch, NumbersAreWholeAndNothingElse) {
  for (const std::string value :
       {"x", "1x", " 1", "1 ", "-1", "+1", "1.0", "1e0", "0x1", "99999999999999999999", "\x1b[1m"}) {
    const auto whole = ": expected a whole number, got '" + printable(value) + "'; correct or unset it";
    EXPECT_EQ(refused(with(kByHand, {{"RANK", value}})), "RANK" + whole);
    EXPECT_EQ(refused(with(kByHand, {{"MASTER_PORT", value}})), "MASTER_PORT" + whole);
    EXPECT_EQ(refused(with(kSrun, {{"SLURM_STEP_NUM_TASKS", value}})), "SLURM_STEP_NUM_TASKS" + whole);
    EXPECT_EQ(refused(with(kSrun, {{"SLURM_RESTART_COUNT", value}})), "SLURM_RESTART_COUNT" + whole);
  }
  EXPECT_EQ(detect(with(kByHand, {{"RANK", "003"}})).rank, 3);
}

TEST(Launch, RanksAndSizesFitTogether) {
  const std::pair<Variables, std::string> table[] = {
      {{{"WORLD_SIZE", "0"}}, "WORLD_SIZE: must be from 1 to 2147483647, got 0; set it to the number of processes"},
      {{{"WORLD_SIZE", "2147483648"}},
       "WORLD_SIZE: must be from 1 to 2147483647, got 2147483648; set it to the number of processes"},
      {{{"RANK", "4"}}, "RANK: must be from 0 to 3, as WORLD_SIZE is 4, got 4; number the processes from 0"},
      {{{"LOCAL_WORLD_SIZE", "5"}},
       "LOCAL_WORLD_SIZE: must be from 1 to 4, as WORLD_SIZE is 4, got 5; set it to the number of processes on this "
       "host"},
      {{{"LOCAL_WORLD_SIZE", "0"}},
       "LOCAL_WORLD_SIZE: must be from 1 to 4, as WORLD_SIZE is 4, got 0; set it to the number of processes on this "
       "host"},
      {{{"LOCAL_RANK", "2"}},
       "LOCAL_RANK: must be from 0 to 1, as LOCAL_WORLD_SIZE is 2, got 2; number the processes of this host from 0"},
      {{{"MASTER_PORT", "0"}},
       "MASTER_PORT: must be from 1 to 65535, got 0; choose a port that is free on the host of rank 0"},
      {{{"MASTER_PORT", "65536"}},
       "MASTER_PORT: must be from 1 to 65535, got 65536; choose a port that is free on the host of rank 0"},
      {{{"MASTER_ADDR", "http://node1"}},
       "MASTER_ADDR: expected the name or address of a host, got 'http://node1'; set it to the host of rank 0"},
  };
  for (const auto& [change, message] : table) EXPECT_EQ(refused(with(kByHand, change)), message);

  const LaunchFlags flags = {.rank = 0, .world_size = 2, .local_rank = 0, .local_size = 2, .rendezvous = "node1:1"};
  auto wrong = flags;
  wrong.rank = -1;
  EXPECT_EQ(refused({}, wrong),
            "--rank: must be from 0 to 1, as --world-size is 2, got -1; number the processes from 0");
  wrong = flags;
  wrong.local_rank = 2;
  EXPECT_EQ(refused({}, wrong),
            "--local-rank: must be from 0 to 1, as --local-size is 2, got 2; number the processes of this host from 0");
}

TEST(Launch, SlurmsListsAreChecked) {
  const auto tasks = [](const std::string& list, const std::string& node) {
    return refused(with(kSrun, {{"SLURM_STEP_TASKS_PER_NODE", list}, {"SLURM_NODEID", node}}));
  };
  for (const std::string list : {"3,1", "x", "3(x1),", "3(x", "3(x1", "3(x1)2", "(x2)", "3(x-1)", "3(x2), 1"}) {
    EXPECT_EQ(tasks(list, "2"),
              "SLURM_STEP_TASKS_PER_NODE: expected the tasks of each node, as in 2(x3),1, also of node "
              "2 (SLURM_NODEID), got '" +
                  list +
                  "'; place the processes by --rank, --world-size, "
                  "--local-rank, --local-size and --rendezvous");
  }
  EXPECT_EQ(tasks("9(x999999999999)", "7"),
            "SLURM_STEP_TASKS_PER_NODE: must be from 1 to 4, as SLURM_STEP_NUM_TASKS is 4, "
            "got 9; set it to the number of processes on this host");
  EXPECT_EQ(refused(with(kSrun, {{"SLURM_STEP_NODELIST", "n[1-"}})),
            "SLURM_STEP_NODELIST: a bracket without end, at '[1-'; expected up to 4096 names, as in node[01-03,7],x5");
  EXPECT_EQ(detect(with(kSrun, {{"SLURM_STEP_NODELIST", "n[1-"}, {"MASTER_ADDR", "n2"}})).host, "n2");
}

// srun -m arbitrary with a host file n3, n1, n1: rank 0 is on n3, and the list says n[1,3].
TEST(Launch, AnArbitraryDistributionOfSlurmHidesTheHostOfRank0) {
  const auto arbitrary = with(kSrun, {{"SLURM_DISTRIBUTION", "arbitrary"}});
  EXPECT_EQ(refused(arbitrary),
            "SLURM_DISTRIBUTION: 'arbitrary' leaves open which node has rank 0; set MASTER_ADDR to that node");
  EXPECT_EQ(detect(with(arbitrary, {{"MASTER_ADDR", "n3"}})).host, "n3");
  const auto one_node = with(arbitrary, {{"SLURM_STEP_TASKS_PER_NODE", "4"}, {"SLURM_NODEID", "0"}});
  EXPECT_EQ(detect(one_node).host, "127.0.0.1");
}

}  // namespace
}  // namespace peerless
