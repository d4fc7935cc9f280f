#include "peerless/cluster/launch.h"

#include <cstdlib>
#include <limits>

#include "peerless/base/error.h"
#include "peerless/base/hash.h"
#include "peerless/cluster/network.h"
#include "peerless/cluster/node_list.h"
#include "peerless/config/scalar.h"

namespace peerless {
namespace {

constexpr std::string_view kFlags = "--rank, --world-size, --local-rank, --local-size and --rendezvous";
constexpr std::int64_t kMaxProcesses = std::numeric_limits<std::int32_t>::max();  // torch's ranks are ints
constexpr std::int64_t kFirstOddStep = 0xfffffff0;  // SLURM_MAX_NORMAL_STEP_ID: the shell of salloc, ...

// A flag or variable, and the number it says.
struct Given {
  std::string name;
  std::optional<std::int64_t> value;
};

std::optional<std::int64_t> parse_whole(std::string_view text) {
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return exact_decimal(text, 0);
}

void check_range(const Given& given, std::int64_t low, std::int64_t high, std::string_view reason,
                 std::string_view remedy) {
  if (*given.value >= low && *given.value <= high) return;
  throw Error(ExitCode::config, given.name, ": must be from ", low, " to ", high, reason, ", got ", *given.value, "; ",
              remedy);
}

std::uint16_t checked_port(const Given& given) {
  check_range(given, 1, 65535, "", "choose a port that is free on the host of rank 0");
  return static_cast<std::uint16_t>(*given.value);
}

std::uint16_t derived_port(std::uint64_t key) { return static_cast<std::uint16_t>(10000 + key % 20000); }

bool is_host(std::string_view text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:%";
  return !text.empty() && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

// A launch in the making. Each step takes one part of it from flags or variables, checked.
class Start {
 public:
  Start(std::string launcher, const Environment& environment) : environment_(environment) {
    launch.launcher = std::move(launcher);
  }

  Launch launch;

  Given number(const std::string& name) const {
    const auto said = environment_(name);
    if (!said) return {name, std::nullopt};
    const auto value = parse_whole(*said);
    if (value) return {name, value};
    throw Error(ExitCode::config, name, ": expected a whole number, got '", printable(*said), "'; correct or unset it");
  }

  // The first of two variables, or the second where only that is set.
  std::string either(const std::string& first, const std::string& second) const {
    return environment_(first) || !environment_(second) ? first : second;
  }

  std::int64_t needed(const Given& given) const {
    if (!given.value) missing(given.name);
    return *given.value;
  }

  std::string needed(const std::string& name) const {
    const auto said = environment_(name);
    if (!said) missing(name);
    return *said;
  }

  void ranks(const Given& rank, const Given& world_size) {
    launch.world_size = needed(world_size);
    check_range(world_size, 1, kMaxProcesses, "", "set it to the number of processes");
    world_ = concat(", as ", world_size.name, " is ", launch.world_size);
    launch.rank = needed(rank);
    check_range(rank, 0, launch.world_size - 1, world_, "number the processes from 0");
  }

  // After ranks; and after the store, where local_rank and local_size may be left out.
  void locals(const Given& local_rank, const Given& local_size) {
    if (!local_rank.value && !local_size.value) return guess_locals(local_rank.name, local_size.name);
    launch.local_size = needed(local_size);
    check_range(local_size, 1, launch.world_size, world_, "set it to the number of processes on this host");
    launch.local_rank = needed(local_rank);
    check_range(local_rank, 0, launch.local_size - 1, concat(", as ", local_size.name, " is ", launch.local_size),
                "number the processes of this host from 0");
  }

  // The store at MASTER_ADDR and MASTER_PORT, where these are unset at those given.
  void master(const std::optional<std::string>& host, std::optional<std::uint16_t> port) {
    launch.host = environment_("MASTER_ADDR") || !host ? needed("MASTER_ADDR") : *host;
    if (!is_host(launch.host)) {
      throw Error(ExitCode::config, "MASTER_ADDR: expected the name or address of a host, got '",
                  printable(launch.host), "'; set it to the host of rank 0");
    }
    const auto said = number("MASTER_PORT");
    if (!said.value && !port) missing("MASTER_PORT");
    launch.port = said.value ? checked_port(said) : *port;
  }

  void rendezvous(const std::string& flag) {
    constexpr std::string_view kFile = "file:";
    if (flag.starts_with(kFile) && flag.size() > kFile.size()) {
      launch.file = flag.substr(kFile.size());
      return;
    }
    const auto colon = flag.rfind(':');
    const auto port = colon == std::string::npos ? std::nullopt : parse_whole(std::string_view(flag).substr(colon + 1));
    auto host = flag.substr(0, colon);
    const bool in_brackets = host.starts_with('[') && host.ends_with(']');
    if (in_brackets) host = host.substr(1, host.size() - 2);
    if (!port || !is_host(host) || (!in_brackets && host.find(':') != std::string::npos)) {
      throw Error(ExitCode::config, "--rendezvous: expected HOST:PORT, [ADDRESS]:PORT or file:PATH, got '",
                  printable(flag), "'; an example is --rendezvous node1:29500");
    }
    launch.host = host;
    launch.port = checked_port({"--rendezvous", port});
  }

 private:
  [[noreturn]] void missing(const std::string& name) const {
    if (name.starts_with("--")) {
      throw Error(ExitCode::config, name, " is missing; a process is placed by ", kFlags, " together");
    }
    const auto* const value = name == "MASTER_ADDR"   ? " to the host of rank 0"
                              : name == "MASTER_PORT" ? " to a port that is free on the host of rank 0"
                                                      : "";
    throw Error(ExitCode::config, "launched by ", launch.launcher, ", but ", name, " is not set; set it", value,
                ", or place the processes by ", kFlags);
  }

  void guess_locals(const std::string& local_rank, const std::string& local_size) {
    if (launch.world_size > 1 && !is_loopback(launch.host)) {
      throw Error(ExitCode::config, local_rank, " and ", local_size, " are needed, as the ", launch.world_size,
                  " processes may be on several hosts; set them to this process's number among those of its host, and "
                  "to the number of these");
    }
    launch.local_rank = launch.rank;
    launch.local_size = launch.world_size;
  }

  const Environment& environment_;
  std::string world_;  // for messages: which world size was said, and by what
};

Launch by_flags(const LaunchFlags& flags, const Environment& environment) {
  Start start("flags", environment);
  start.ranks({"--rank", flags.rank}, {"--world-size", flags.world_size});
  if (start.launch.world_size > 1) {
    if (!flags.rendezvous && !(environment("MASTER_ADDR") && environment("MASTER_PORT"))) {
      throw Error(ExitCode::config,
                  "--rendezvous is missing; say where the processes meet: --rendezvous HOST:PORT or file:PATH, or set "
                  "MASTER_ADDR and MASTER_PORT");
    }
    flags.rendezvous ? start.rendezvous(*flags.rendezvous) : start.master({}, {});
  }
  start.locals({"--local-rank", flags.local_rank}, {"--local-size", flags.local_size});
  return start.launch;
}

Launch by_torchrun(const Environment& environment) {
  Start start("torchrun", environment);
  start.ranks(start.number("RANK"), start.number("WORLD_SIZE"));
  start.locals(start.number("LOCAL_RANK"), start.number("LOCAL_WORLD_SIZE"));
  if (start.launch.world_size == 1) return start.launch;
  start.master({}, {});
  start.launch.store_is_served = environment("TORCHELASTIC_USE_AGENT_STORE") == "True";
  start.launch.attempt = start.needed("TORCHELASTIC_RUN_ID");
  if (start.launch.one_host()) {
    start.launch.attempt += concat("/", start.needed(start.number("TORCHELASTIC_RESTART_COUNT")));
  }
  return start.launch;
}

// The variables of an MPI launcher.
struct Mpi {
  const char *launcher, *rank, *world_size, *local_rank, *local_size;
  const char* job;  // shared by all processes, and by no other launch at the time
};
constexpr Mpi kOpenMpi = {"Open MPI",
                          "OMPI_COMM_WORLD_RANK",
                          "OMPI_COMM_WORLD_SIZE",
                          "OMPI_COMM_WORLD_LOCAL_RANK",
                          "OMPI_COMM_WORLD_LOCAL_SIZE",
                          "PMIX_NAMESPACE"};
constexpr Mpi kPmi = {"PMI", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", nullptr};

Launch by_mpi(const Mpi& mpi, const Environment& environment) {
  Start start(mpi.launcher, environment);
  start.ranks(start.number(mpi.rank), start.number(mpi.world_size));
  start.locals(start.number(mpi.local_rank), start.number(mpi.local_size));
  if (start.launch.world_size == 1) return start.launch;
  const auto job = mpi.job == nullptr ? std::nullopt : environment(mpi.job);
  start.master(start.launch.one_host() ? std::optional<std::string>("127.0.0.1") : std::nullopt,
               job ? std::optional(derived_port(checksum(*job))) : std::nullopt);
  start.launch.attempt = job.value_or("");
  return start.launch;
}

bool is_slurm_task(const Environment& environment) {
  const auto step = parse_whole(environment("SLURM_STEP_ID").value_or(""));
  if (!step || *step >= kFirstOddStep) return false;
  const Start start("Slurm", environment);
  return start.number(start.either("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")).value.value_or(1) > 1;
}

// Slurm's "2(x3),1" is 2 tasks on each of the nodes 0, 1 and 2, and 1 on node 3.
std::optional<std::int64_t> tasks_of_node(std::string_view list, std::int64_t node) {
  for (const std::string_view part : split(list, ',')) {
    const auto repeat = part.find("(x");
    const auto tasks = parse_whole(part.substr(0, repeat));
    std::optional<std::int64_t> nodes = 1;
    if (repeat != std::string_view::npos) {
      nodes = part.ends_with(')') ? parse_whole(part.substr(repeat + 2, part.size() - repeat - 3)) : std::nullopt;
    }
    if (!tasks || !nodes) return std::nullopt;
    if (node < *nodes) return tasks;
    node -= *nodes;
  }
  return std::nullopt;
}

Given tasks_of_this_node(const Start& start) {
  const auto name = start.either("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE");
  const auto list = start.needed(name);
  const auto node = start.needed(start.number("SLURM_NODEID"));
  const auto tasks = tasks_of_node(list, node);
  if (tasks) return {name, tasks};
  throw Error(ExitCode::config, name, ": expected the tasks of each node, as in 2(x3),1, also of node ", node,
              " (SLURM_NODEID), got '", printable(list.substr(0, 80)), "'; place the processes by ", kFlags);
}

std::optional<std::string> slurm_host(const Start& start, const Environment& environment) {
  if (environment("MASTER_ADDR")) return std::nullopt;  // nor is the list of nodes read
  if (start.launch.one_host()) return "127.0.0.1";
  if (environment("SLURM_DISTRIBUTION").value_or("").starts_with("arbitrary")) {
    throw Error(ExitCode::config,
                "SLURM_DISTRIBUTION: 'arbitrary' leaves open which node has rank 0; set MASTER_ADDR to that node");
  }
  const auto name = start.either("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST");
  return expand_node_list(start.needed(name), name).front();
}

Launch by_slurm(const Environment& environment) {
  Start start("Slurm", environment);
  start.ranks(start.number("SLURM_PROCID"), start.number(start.either("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")));
  start.locals(start.number("SLURM_LOCALID"), tasks_of_this_node(start));
  const auto job = static_cast<std::uint64_t>(start.needed(start.number("SLURM_JOB_ID")));
  const auto step = static_cast<std::uint64_t>(start.needed(start.number("SLURM_STEP_ID")));
  start.master(slurm_host(start, environment), derived_port(job + 7919 * step));
  const auto restarts = start.number("SLURM_RESTART_COUNT").value.value_or(0);
  start.launch.attempt = concat(job, ".", step, ".", restarts);
  return start.launch;
}

Launch by_environment(const Environment& environment) {
  Start start("environment", environment);
  start.ranks(start.number("RANK"), start.number("WORLD_SIZE"));
  if (start.launch.world_size > 1) start.master({}, {});
  start.locals(start.number("LOCAL_RANK"), start.number("LOCAL_WORLD_SIZE"));
  return start.launch;
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
}

Launch detect_launch(const LaunchFlags& flags, const Environment& environment) {
  const auto set = [&](const std::string& name) { return environment(name).has_value(); };
  if (flags.rank || flags.world_size || flags.local_rank || flags.local_size || flags.rendezvous) {
    return by_flags(flags, environment);
  }
  if (set("TORCHELASTIC_RUN_ID")) return by_torchrun(environment);
  if (set("OMPI_COMM_WORLD_RANK") || set("OMPI_COMM_WORLD_SIZE")) return by_mpi(kOpenMpi, environment);
  const bool pmi = set("PMI_RANK") || set("PMI_SIZE");
  if (pmi && set("MPI_LOCALRANKID")) return by_mpi(kPmi, environment);
  if (is_slurm_task(environment)) return by_slurm(environment);
  if (pmi) return by_mpi(kPmi, environment);
  if (set("RANK") || set("WORLD_SIZE")) return by_environment(environment);
  return {};
}

}  // namespace peerless
