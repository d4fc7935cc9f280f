#include "peerless/cluster/launch.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "tests/cluster/launch_environments.h"

namespace peerless {

void PrintTo(const Launch& launch, std::ostream* out) {
  *out << launch.launcher << ": rank " << launch.rank << " of " << launch.world_size << ", here " << launch.local_rank
       << " of " << launch.local_size << ", store " << launch.host << ":" << launch.port << " " << launch.file
       << (launch.store_is_served ? " served" : "") << ", attempt '" << launch.attempt << "'";
}

namespace {

using test::detect;
using test::kBatchScript;
using test::kByHand;
using test::kMaster;
using test::kMpiexec;
using test::kMpiexecInSlurm;
using test::kMpirun;
using test::kMpirunInSlurm;
using test::kSrun;
using test::kTorchrun;
using test::refused;
using test::Variables;
using test::with;

struct Place {
  std::int64_t rank, world_size, local_rank, local_size;
};

Launch launch(const std::string& launcher, const Place& at, const std::string& host, std::uint16_t port,
              const std::string& attempt = "", bool store_is_served = false) {
  return {launcher, at.rank, at.world_size, at.local_rank, at.local_size, host, port, {}, store_is_served, attempt};
}

TEST(Launch, NothingSaidIsASingleProcess) {
  EXPECT_EQ(detect({}), Launch());
  EXPECT_EQ(detect(kMaster), Launch());
  EXPECT_TRUE(Launch().one_host());
}

TEST(Launch, ByTorchrun) {
  EXPECT_EQ(detect(kTorchrun),
            (launch("torchrun", {1, 2, 1, 2}, "localhost", 42169, "034a03b0-3a39-4cad-b12c-4b74e110d5ba/1", true)));
  EXPECT_FALSE(detect(with(kTorchrun, {{"TORCHELASTIC_USE_AGENT_STORE", "False"}})).store_is_served);
  EXPECT_FALSE(detect(with(kTorchrun, {{"TORCHELASTIC_USE_AGENT_STORE", ""}})).store_is_served);
}

// Seen: rank 1 fails, its agent counts a restart, the other agent does not; both meet in the store of before.
TEST(Launch, TorchrunsRestartsCountOnlyOnOneHost) {
  const auto failed = with(kTorchrun, {{"TORCHELASTIC_RUN_ID", "r7"}, {"LOCAL_RANK", "0"}, {"LOCAL_WORLD_SIZE", "1"}});
  const auto other = with(failed, {{"RANK", "0"}, {"TORCHELASTIC_RESTART_COUNT", "0"}});
  EXPECT_EQ(detect(failed).attempt, "r7");
  EXPECT_EQ(detect(other).attempt, "r7");
}

TEST(Launch, ByATaskOfSlurm) {
  EXPECT_EQ(detect(kSrun), (launch("Slurm", {3, 4, 0, 1}, "n1", 10002, "2.0.0")));
  EXPECT_EQ(detect(with(kSrun, {{"SLURM_RESTART_COUNT", "1"}})).attempt, "2.0.1");
  const auto first = detect(with(kSrun, {{"SLURM_NODEID", "0"}, {"SLURM_PROCID", "2"}, {"SLURM_LOCALID", "2"}}));
  EXPECT_EQ(first.local_rank, 2);
  EXPECT_EQ(first.local_size, 3);
  const auto one_node = detect(with(kSrun, {{"SLURM_NODEID", "0"}, {"SLURM_STEP_TASKS_PER_NODE", "4"}}));
  EXPECT_EQ(one_node.host, "127.0.0.1");
}

// srun -n2 -N1 in an allocation of more, and one that keeps the allocation's variables (srun --preserve-env).
TEST(Launch, WhatSlurmSaysOfTheStepGoesBeforeWhatItSaysOfTheJob) {
  const auto step = with(kSrun, {{"SLURM_NODEID", "0"},
                                 {"SLURM_PROCID", "1"},
                                 {"SLURM_LOCALID", "0"},
                                 {"SLURM_STEP_ID", "1"},
                                 {"SLURM_STEP_NODELIST", "n[2,4]"},
                                 {"SLURM_STEP_NUM_TASKS", "2"},
                                 {"SLURM_STEP_TASKS_PER_NODE", "1(x2)"}});
  const auto found = detect(step);
  EXPECT_EQ(found.world_size, 2);
  EXPECT_EQ(found.local_size, 1);
  EXPECT_EQ(found.host, "n2");
  EXPECT_EQ(found.attempt, "2.1.0");
  const auto of_job = detect(
      with(kSrun, {{"SLURM_STEP_NODELIST", ""}, {"SLURM_STEP_NUM_TASKS", ""}, {"SLURM_STEP_TASKS_PER_NODE", ""}}));
  EXPECT_EQ(of_job, detect(kSrun));
}

TEST(Launch, SlurmsTasksPerNodeAreIndexedByTheNode) {
  const std::vector<std::int64_t> expected = {2, 2, 2, 1, 4, 4};
  for (std::size_t node = 0; node < expected.size(); ++node) {
    const auto found = detect(with(kSrun, {{"SLURM_STEP_NUM_TASKS", "15"},
                                           {"SLURM_STEP_TASKS_PER_NODE", "2(x3),1,4(x2)"},
                                           {"SLURM_NODEID", std::to_string(node)}}));
    EXPECT_EQ(found.local_size, expected[node]) << node;
  }
}

TEST(Launch, StepsAndJobsOfSlurmMeetAtPortsOfTheirOwn) {
  const auto port = [](int job, int step) {
    return detect(with(kSrun, {{"SLURM_JOB_ID", std::to_string(job)}, {"SLURM_STEP_ID", std::to_string(step)}})).port;
  };
  EXPECT_EQ(port(1234567, 0), 10000 + 1234567 % 20000);
  EXPECT_EQ(port(1234567, 3), 10000 + (1234567 + 3 * 7919) % 20000);
  std::set<int> ports;
  for (int step = 0; step < 500; ++step) ports.insert(port(77, step));
  EXPECT_EQ(ports.size(), 500u);
  EXPECT_GE(*ports.begin(), 10000);
  EXPECT_LT(*ports.rbegin(), 30000);
}

TEST(Launch, ByMpirunOfOpenMpi) {
  EXPECT_EQ(detect(kMpirun), (launch("Open MPI", {1, 2, 1, 2}, "127.0.0.1", 14848, "1982136321")));
  const auto other = detect(with(kMpirun, {{"PMIX_NAMESPACE", "1981939713"}}));
  EXPECT_NE(other.port, detect(kMpirun).port);
  EXPECT_EQ(detect(with(kMpirun, {{"MASTER_PORT", "29500"}})).port, 29500);
}

TEST(Launch, ByMpirunOverSeveralHosts) {
  const auto found = detect(with(kMpirunInSlurm, {{"MASTER_ADDR", "n1"}}));
  EXPECT_EQ(found, (launch("Open MPI", {5, 6, 1, 2}, "n1", 10483, "1280114689")));
}

TEST(Launch, ByMpiexecOfMpich) {
  const auto expected = launch("PMI", {1, 2, 1, 2}, "127.0.0.1", 29500);
  EXPECT_EQ(detect(with(kMpiexec, {{"MASTER_PORT", "29500"}})), expected);
  const auto several = detect(with(kMpiexecInSlurm, kMaster));
  EXPECT_EQ(several.launcher, "PMI");
  EXPECT_EQ(several.rank, 5);
  EXPECT_EQ(several.host, "node1");
}

TEST(Launch, ByEnvironment) {
  const auto expected = launch("environment", {3, 4, 1, 2}, "node1", 29500);
  EXPECT_EQ(detect(kByHand), expected);
}

TEST(Launch, ByFlags) {
  const LaunchFlags flags = {.rank = 3, .world_size = 4, .local_rank = 1, .local_size = 2, .rendezvous = "node1:29500"};
  const auto expected = launch("flags", {3, 4, 1, 2}, "node1", 29500);
  EXPECT_EQ(detect({}, flags), expected);
  auto without = flags;
  without.rendezvous.reset();
  EXPECT_EQ(detect(kMaster, without), expected);
  EXPECT_EQ(detect({{"MASTER_ADDR", "other"}, {"MASTER_PORT", "1"}}, flags), expected) << "flags go first";
}

TEST(Launch, ARendezvousIsAnAddressWithAPortOrAFile) {
  const auto meet = [](const std::string& rendezvous) {
    return detect({}, {.rank = 0, .world_size = 2, .local_rank = 0, .local_size = 2, .rendezvous = rendezvous});
  };
  EXPECT_EQ(meet("[::1]:29500").host, "::1");
  EXPECT_EQ(meet("[fe80::1%eth0]:1").host, "fe80::1%eth0");
  EXPECT_EQ(meet("10.0.0.1:65535").port, 65535);
  EXPECT_EQ(meet("file:/shared/a store:1").file, "/shared/a store:1");
  EXPECT_EQ(meet("file:/shared/store").host, "");
  for (const std::string wrong : {"node1", "node1:", ":29500", "", "::1:29500", "[::1]29500", "[]:1", "node1:2x",
                                  "file:", "tcp://node1:29500", "node1:-1", "node1:+1", "node 1:1", "n\n:1"}) {
    EXPECT_EQ(test::complaint(ExitCode::config, [&] { meet(wrong); }),
              "--rendezvous: expected HOST:PORT, [ADDRESS]:PORT or file:PATH, got '" + printable(wrong) +
                  "'; an example is --rendezvous node1:29500");
  }
  EXPECT_EQ(test::complaint(ExitCode::config, [&] { meet("node1:65536"); }),
            "--rendezvous: must be from 1 to 65535, got 65536; choose a port that is free on the host of rank 0");
}

TEST(Launch, PlacesOnTheHostAreGuessedOnlyAtALoopbackAddress) {
  for (const std::string host : {"localhost", "127.0.0.1", "127.1.2.3"}) {
    const auto found = detect({}, {.rank = 1, .world_size = 4, .rendezvous = host + ":29500"});
    EXPECT_EQ(found.local_rank, 1);
    EXPECT_EQ(found.local_size, 4);
  }
  EXPECT_EQ(detect({}, {.rank = 1, .world_size = 4, .rendezvous = "[::1]:29500"}).local_size, 4);
  EXPECT_EQ(
      detect(with(kByHand, {{"MASTER_ADDR", "localhost"}, {"LOCAL_RANK", ""}, {"LOCAL_WORLD_SIZE", ""}})).local_size,
      4);

  const std::string needed =
      " are needed, as the 4 processes may be on several hosts; set them to this process's number among those of its "
      "host, and to the number of these";
  for (const std::string place : {"node1:29500", "127.example.org:29500", "10.0.0.1:29500", "file:/shared/store"}) {
    EXPECT_EQ(refused({}, {.rank = 1, .world_size = 4, .rendezvous = place}), "--local-rank and --local-size" + needed);
  }
  EXPECT_EQ(refused(with(kByHand, {{"LOCAL_RANK", ""}, {"LOCAL_WORLD_SIZE", ""}})),
            "LOCAL_RANK and LOCAL_WORLD_SIZE" + needed);
}

TEST(Launch, TheLauncherNearestToTheProcessDecides) {
  const LaunchFlags flags = {.rank = 0, .world_size = 2, .rendezvous = "localhost:1"};
  const std::pair<Variables, std::string> table[] = {
      {with(kSrun, kTorchrun), "torchrun"},         // in a task of srun, one agent per node
      {with(kBatchScript, kTorchrun), "torchrun"},  // in a batch script
      {with(kMpirun, kTorchrun), "torchrun"},       // under mpirun
      {with(kMpirun, kBatchScript), "Open MPI"},    // in a batch script, on its node
      {with(kMpirunInSlurm, kMaster), "Open MPI"},  // on the other nodes
      {with(kMpiexecInSlurm, kMaster), "PMI"},      // likewise
      {with(with(kMpiexec, kBatchScript), kMaster), "PMI"},
      {with(kSrun, {{"PMI_RANK", "3"}, {"PMI_SIZE", "4"}, {"PMI_JOBID", "2.0"}}), "Slurm"},  // srun --mpi=pmi2
      {with(kSrun, {{"PMIX_RANK", "3"}, {"PMIX_NAMESPACE", "slurm.pmix.2.0"}}), "Slurm"},    // srun --mpi=pmix
      {with(kByHand, kSrun), "Slurm"},
      {with(kByHand, kMpirun), "Open MPI"},
      {with(kByHand, kBatchScript), "environment"},
  };
  for (const auto& [variables, launcher] : table) {
    EXPECT_EQ(detect(variables).launcher, launcher);
    EXPECT_EQ(detect(variables, flags).launcher, "flags");
  }
}

TEST(Launch, AnAllocationOfSlurmAloneIsNoLaunch) {
  const Variables table[] = {
      kBatchScript,
      {{"SLURM_JOB_ID", "5"}, {"SLURM_NTASKS", "4"}, {"SLURM_TASKS_PER_NODE", "3,1"}},  // salloc -n4
      // salloc -n4 with LaunchParameters=use_interactive_step
      with(kBatchScript, {{"SLURM_STEP_ID", "4294967290"}, {"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_PTY_PORT", "38645"}}),
      with(kBatchScript, {{"SLURM_STEP_ID", "4294967290"}}),
      with(kBatchScript, {{"SLURM_STEP_ID", "batch"}}),
      // srun --pty bash
      with(kSrun, {{"SLURM_NTASKS", "1"},
                   {"SLURM_STEP_NUM_TASKS", "1"},
                   {"SLURM_STEP_TASKS_PER_NODE", "1"},
                   {"SLURM_PTY_PORT", "38645"}}),
      // sbatch from a task: the script of the new job inherits the step of the old one
      with(kBatchScript, {{"SLURM_STEP_ID", "3"}, {"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_STEP_TASKS_PER_NODE", "1"}}),
  };
  for (const auto& variables : table) EXPECT_EQ(detect(variables), Launch());
}

TEST(Launch, OneProcessKeepsTheNameOfItsLauncherAndMeetsNobody) {
  const std::pair<Variables, std::string> table[] = {
      {with(kTorchrun, {{"RANK", "0"}, {"WORLD_SIZE", "1"}, {"LOCAL_RANK", "0"}, {"LOCAL_WORLD_SIZE", "1"}}),
       "torchrun"},
      {with(kMpirun, {{"OMPI_COMM_WORLD_RANK", "0"},
                      {"OMPI_COMM_WORLD_SIZE", "1"},
                      {"OMPI_COMM_WORLD_LOCAL_RANK", "0"},
                      {"OMPI_COMM_WORLD_LOCAL_SIZE", "1"}}),
       "Open MPI"},
      {with(kMpiexec, {{"PMI_RANK", "0"}, {"PMI_SIZE", "1"}, {"MPI_LOCALRANKID", "0"}, {"MPI_LOCALNRANKS", "1"}}),
       "PMI"},
      {{{"PMI_RANK", "0"}, {"PMI_SIZE", "1"}}, "PMI"},  // srun -n1 --mpi=pmi2
      {{{"RANK", "0"}, {"WORLD_SIZE", "1"}}, "environment"},
      {with(kMaster, {{"RANK", "0"}, {"WORLD_SIZE", "1"}}), "environment"},
  };
  for (const auto& [variables, launcher] : table) EXPECT_EQ(detect(variables), Launch{.launcher = launcher});
  EXPECT_EQ(detect({}, {.rank = 0, .world_size = 1}), Launch{.launcher = "flags"});
  EXPECT_EQ(detect({}, {.rank = 0, .world_size = 1, .rendezvous = "node1:1"}), Launch{.launcher = "flags"});
}

TEST(Launch, TheProcessesEnvironmentHidesEmptyVariables) {
  ASSERT_EQ(setenv("PEERLESS_LAUNCH_TEST", "some", 1), 0);
  EXPECT_EQ(process_environment()("PEERLESS_LAUNCH_TEST"), "some");
  ASSERT_EQ(setenv("PEERLESS_LAUNCH_TEST", "", 1), 0);
  EXPECT_EQ(process_environment()("PEERLESS_LAUNCH_TEST"), std::nullopt);
  ASSERT_EQ(unsetenv("PEERLESS_LAUNCH_TEST"), 0);
  EXPECT_EQ(process_environment()("PEERLESS_LAUNCH_TEST"), std::nullopt);
}

}  // namespace
}  // namespace peerless
