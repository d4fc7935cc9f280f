// Environments as launchers set them, as far as these variables could matter to somebody who asks how a process was
// launched: seen in processes of torch 2.11, Slurm 22.05, Open MPI 4.1.4 and MPICH 4.0.2.
#pragma once

#include <map>
#include <string>

#include "peerless/cluster/launch.h"
#include "tests/support/complaint.h"

namespace peerless::test {

using Variables = std::map<std::string, std::string>;

// With some variables set otherwise; "" unsets.
inline Variables with(Variables variables, const Variables& changes) {
  for (const auto& [name, value] : changes) variables[name] = value;
  return variables;
}

inline Environment environment_of(const Variables& variables) {
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end() || found->second.empty()) return std::nullopt;
    return found->second;
  };
}

inline Launch detect(const Variables& variables, const LaunchFlags& flags = {}) {
  return detect_launch(flags, environment_of(variables));
}

inline std::string refused(const Variables& variables, const LaunchFlags& flags = {}) {
  return complaint(ExitCode::config, [&] { detect(variables, flags); });
}

inline const Variables kTorchrun = {  // torch 2.11: torchrun --standalone --nproc-per-node 2
    {"GROUP_RANK", "0"},
    {"GROUP_WORLD_SIZE", "1"},
    {"LOCAL_RANK", "1"},
    {"LOCAL_WORLD_SIZE", "2"},
    {"MASTER_ADDR", "localhost"},
    {"MASTER_PORT", "42169"},
    {"RANK", "1"},
    {"ROLE_RANK", "1"},
    {"ROLE_WORLD_SIZE", "2"},
    {"TORCHELASTIC_MAX_RESTARTS", "1"},
    {"TORCHELASTIC_RESTART_COUNT", "1"},
    {"TORCHELASTIC_RUN_ID", "034a03b0-3a39-4cad-b12c-4b74e110d5ba"},
    {"TORCHELASTIC_USE_AGENT_STORE", "True"},
    {"WORLD_SIZE", "2"}};

inline const Variables kBatchScript = {  // Slurm 22.05: sbatch -N2 -n4
    {"SLURM_GTIDS", "0"},   {"SLURM_JOB_ID", "2"}, {"SLURM_JOB_NODELIST", "n[1-2]"},
    {"SLURM_LOCALID", "0"}, {"SLURM_NNODES", "2"}, {"SLURM_NODEID", "0"},
    {"SLURM_NTASKS", "4"},  {"SLURM_PROCID", "0"}, {"SLURM_TASKS_PER_NODE", "3,1"}};

// srun in it: the last task.
inline const Variables kSrun = with(kBatchScript, {{"SLURM_DISTRIBUTION", "block"},
                                                   {"SLURM_GTIDS", "3"},
                                                   {"SLURM_NODEID", "1"},
                                                   {"SLURM_PROCID", "3"},
                                                   {"SLURM_STEP_ID", "0"},
                                                   {"SLURM_STEP_NODELIST", "n[1-2]"},
                                                   {"SLURM_STEP_NUM_NODES", "2"},
                                                   {"SLURM_STEP_NUM_TASKS", "4"},
                                                   {"SLURM_STEP_TASKS_PER_NODE", "3,1"}});

inline const Variables kMpirun = {  // Open MPI 4.1.4: mpirun -n 2
    {"OMPI_APP_CTX_NUM_PROCS", "2"},
    {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
    {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
    {"OMPI_COMM_WORLD_NODE_RANK", "1"},
    {"OMPI_COMM_WORLD_RANK", "1"},
    {"OMPI_COMM_WORLD_SIZE", "2"},
    {"OMPI_MCA_ess_base_jobid", "1982136321"},
    {"OMPI_UNIVERSE_SIZE", "2"},
    {"PMIX_NAMESPACE", "1982136321"},
    {"PMIX_RANK", "1"}};

// Slurm's view of mpirun and mpiexec -n 6 in sbatch -N3, on the last node: one daemon on each.
inline const Variables kDaemonsOfThreeNodes = {{"SLURM_JOB_ID", "1"},         {"SLURM_JOB_NODELIST", "n[1-3]"},
                                               {"SLURM_LOCALID", "0"},        {"SLURM_NODEID", "2"},
                                               {"SLURM_NTASKS", "6"},         {"SLURM_PROCID", "2"},
                                               {"SLURM_STEP_ID", "0"},        {"SLURM_STEP_NODELIST", "n[1-3]"},
                                               {"SLURM_STEP_NUM_TASKS", "3"}, {"SLURM_STEP_TASKS_PER_NODE", "1(x3)"}};

inline const Variables kMpirunInSlurm = with(kDaemonsOfThreeNodes, {{"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                                                    {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                                                                    {"OMPI_COMM_WORLD_RANK", "5"},
                                                                    {"OMPI_COMM_WORLD_SIZE", "6"},
                                                                    {"PMIX_NAMESPACE", "1280114689"},
                                                                    {"PMIX_RANK", "5"}});

inline const Variables kMpiexec = {  // MPICH 4.0.2: mpiexec -n 2
    {"MPI_LOCALNRANKS", "2"},
    {"MPI_LOCALRANKID", "1"},
    {"PMI_FD", "8"},
    {"PMI_RANK", "1"},
    {"PMI_SIZE", "2"}};

inline const Variables kMpiexecInSlurm =
    with(kDaemonsOfThreeNodes, with(kMpiexec, {{"PMI_RANK", "5"}, {"PMI_SIZE", "6"}}));

inline const Variables kMaster = {{"MASTER_ADDR", "node1"}, {"MASTER_PORT", "29500"}};
inline const Variables kByHand =
    with(kMaster, {{"RANK", "3"}, {"WORLD_SIZE", "4"}, {"LOCAL_RANK", "1"}, {"LOCAL_WORLD_SIZE", "2"}});

}  // namespace peerless::test
