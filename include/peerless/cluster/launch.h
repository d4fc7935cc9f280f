// How this process was started among others, and where they meet: from the command line and from what launchers say in
// the environment. The first that applies decides:
//
//   flags        any of --rank, --world-size, --local-rank, --local-size, --rendezvous. The first two are needed, and
//                --rendezvous (or MASTER_ADDR and MASTER_PORT) unless the world is of size 1
//   torchrun     TORCHELASTIC_RUN_ID. Its agent may serve the store (TORCHELASTIC_USE_AGENT_STORE=True)
//   Open MPI     OMPI_COMM_WORLD_RANK or _SIZE: mpirun
//   PMI          PMI_RANK or PMI_SIZE: mpiexec of MPICH and Intel MPI
//   Slurm        a task of srun: SLURM_STEP_ID is that of an ordinary step, of more than one task. What an allocation
//                alone says is no launch: a batch script, salloc and `srun --pty bash` (of one task) stay single
//   environment  RANK or WORLD_SIZE, set by hand as for torch.distributed's env://
//   single       else
//
// mpirun and mpiexec start their daemons with srun, so that their processes also look like tasks of Slurm, with wrong
// ranks: they go first. Under srun --mpi=pmi2, PMI_RANK is set too: PMI goes before Slurm only with MPI_LOCALRANKID,
// which Slurm does not set.
//
// Host      MASTER_ADDR wherever it is set, but for --rendezvous. Else 127.0.0.1 where Slurm or MPI say that all
//           processes are on this host; Slurm: else the first node of the step, unless the distribution is arbitrary,
//           which may put rank 0 elsewhere; MPI: else an error, as nothing names the host of rank 0
// Port      MASTER_PORT. Else Slurm: 10000 + (job + 7919 * step) % 20000, so that no two of 20,000 steps of a job share
//           one; Open MPI: 10000 + XXH3-64 of PMIX_NAMESPACE % 20000: all processes of an mpirun share it, and of two
//           at the same time 1 pair in 20,000 meets at one port; else an error (mpiexec says nothing that its processes
//           share). These ports are below those that Linux hands out by itself (from 32768)
// Local     With flags and by environment (LOCAL_RANK, LOCAL_WORLD_SIZE), rank and size among the processes of the host
//           may be left out where the processes meet at a loopback address: then all are on this host. Not with a file,
//           which hosts may share: a wrong guess lets processes choose GPUs that are not there
// Attempt   torchrun: the run id; on one host also the restart count. Over several hosts, each agent counts for itself,
//           yet a restart meets in the same store (seen with torch 2.11; pytorch#135712): where store_is_served and not
//           one_host(), those who start must agree on more through the store. Slurm: job, step, restarts of the job.
//           Open MPI: PMIX_NAMESPACE. Else empty
// One       A launch of one process meets nobody: only its launcher's name is said
// Errors    config  a flag or variable is missing, no number or host, or out of range. The text names it
// Sources   torch/distributed/elastic/agent/server/local_elastic_agent.py; Slurm, src/common/env.c; the environments
//           in tests/cluster/launch_environments.h, as torch 2.11, Slurm 22.05, Open MPI 4.1.4 and MPICH 4.0.2 set them
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace peerless {

// A look at the environment: the value of a variable, none when unset or empty.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// What the command line says.
struct LaunchFlags {
  std::optional<std::int64_t> rank = std::nullopt;
  std::optional<std::int64_t> world_size = std::nullopt;
  std::optional<std::int64_t> local_rank = std::nullopt;
  std::optional<std::int64_t> local_size = std::nullopt;
  std::optional<std::string> rendezvous = std::nullopt;  // "HOST:PORT", "[ADDRESS]:PORT" or "file:PATH"
};

struct Launch {
  std::string launcher = "single";  // as above, for people
  std::int64_t rank = 0;
  std::int64_t world_size = 1;
  std::int64_t local_rank = 0;  // among the processes of this host: chooses the GPU
  std::int64_t local_size = 1;
  std::string host = "";            // where processes meet; empty: by file, or single
  std::uint16_t port = 0;           // there
  std::filesystem::path file = {};  // in which rank 0 says where it is; empty: by HOST:PORT, or single
  bool store_is_served = false;     // by torchrun's agent: rank 0 too is a client
  std::string attempt = "";         // tells this start from others that could meet at the same place

  bool one_host() const { return local_size == world_size; }
  bool operator==(const Launch&) const = default;
};

Launch detect_launch(const LaunchFlags& flags, const Environment& environment);

}  // namespace peerless
