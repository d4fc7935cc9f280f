// Loss of power at every operation: on real file systems over a loop device, which are shut down without their journal
// (FS_IOC_SHUTDOWN) and mounted again, as a machine that starts anew would; and in memory, where any part of what was
// not synced survives. Between operations other files may be synced, so that the journal is written at other times too.
//
// The real ones need root, loop devices and mkfs; where these are missing, a variant has no trials, and says so.
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <algorithm>

#include "tests/reliability/campaign.h"
#include "tests/reliability/patterns.h"
#include "tests/reliability/processes.h"
#include "tests/support/memory_files.h"
#include "tests/support/temporary_folder.h"

namespace peerless::reliability {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOurs = "commit protocol";
constexpr const char* kUntried = "needs root, a loop device, mkfs, and a system that cuts the power of such a disk";
constexpr const char* kUnmountable = "the volume cannot be mounted";

int execute(const std::vector<std::string>& command) {
  return Child([&] {
           std::vector<char*> argv;
           for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
           argv.push_back(nullptr);
           ::execvp(argv[0], argv.data());
           ::_exit(127);
         })
      .wait();
}

struct FileSystem {
  std::string name;
  std::vector<std::string> format;
  std::string options;
  std::uintmax_t bytes;
};

const std::vector<FileSystem> kFileSystems{
    {"ext4 ordered", {"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0"}, "loop,data=ordered", 24U << 20},
    {"ext4 writeback", {"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0"}, "loop,data=writeback", 24U << 20},
    {"xfs", {"mkfs.xfs", "-q", "-f"}, "loop", 300U << 20},
};

// Whether this process may have mounts of its own, which nobody else sees.
bool may_mount() {
  static const bool may =
      ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  return may;
}

// A file system in a file, in a mount namespace of this process.
class Volume {
 public:
  explicit Volume(FileSystem kind) : kind_(std::move(kind)) { fs::create_directory(root()); }
  ~Volume() { unmount(); }
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  fs::path root() const { return folder_ / "root"; }

  bool format_and_mount() {
    unmount();
    fs::remove(image_);
    { const auto file = disk().create(image_); }
    fs::resize_file(image_, kind_.bytes);
    auto command = kind_.format;
    command.push_back(image_);
    return execute(command) == 0 && mount();
  }
  bool mount() {
    mounted_ = execute({"mount", "-o", kind_.options, image_, root()}) == 0;
    return mounted_;
  }
  void unmount() {
    if (mounted_) execute({"umount", root()});
    mounted_ = false;
  }
  // Nothing reaches the disk from now on, the journal neither. False where the file system cannot do so.
  bool cut_power() const {
    constexpr unsigned long kShutdown = _IOR('X', 125, std::uint32_t);
    std::uint32_t without_journal = 2;
    const int descriptor = ::open(root().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool cut = ::ioctl(descriptor, kShutdown, &without_journal) == 0;
    ::close(descriptor);
    return cut;
  }
  // Whether such a file system can be had, and loses power.
  bool works() { return may_mount() && format_and_mount() && cut_power(); }
  // The journal is written, as it may be at any time.
  void commit_journal() const {
    const int descriptor = ::open((root() / "other").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (::write(descriptor, "x", 1) == 1) ::fsync(descriptor);
    ::close(descriptor);
  }

 private:
  FileSystem kind_;
  TemporaryFolder folder_;
  fs::path image_ = folder_ / "image";
  bool mounted_ = false;
};

// When the power goes, and when the journal is written before that; 0: never.
struct Moment {
  int loss = 0, commit = 0;
};

Moment any_moment(int loss, Random& random) {
  const int placement = static_cast<int>(random() % 3);  // none, just before, anywhere before
  if (placement == 0) return {loss, 0};
  return {loss, placement == 1 ? loss : static_cast<int>(1 + random() % static_cast<std::uint64_t>(loss))};
}

// Where it goes.
struct Place {
  SaveMode mode;
  std::int64_t rank;
  int operation;
};

// ---- our protocol ---------------------------------------------------------------------------------------------------

class Ours {
 public:
  Ours(const FileSystem& kind, Result& result) : volume_(kind), result_(result) {}

  bool works() { return volume_.works(); }

  void begin() {
    if (!volume_.format_and_mount()) throw Error(ExitCode::io, "a volume that could be mounted cannot be any more");
    notes_->acknowledged = 0;
    live_as_processes({.folder = folder(), .saves = 2}, *notes_, [](std::int64_t) { return Hook(); });
    PEERLESS_CHECK(notes_->acknowledged == 2, "an undisturbed life saved ", notes_->acknowledged.load(), " of 2 steps");
  }

  // Every operation of every process, by mode.
  std::vector<Place> places() {
    std::vector<Place> places;
    for (const SaveMode mode : {SaveMode::sync, SaveMode::async}) {
      begin();
      live_as_processes(training(mode), *notes_, [](std::int64_t) { return Hook(); });
      for (std::int64_t rank = 0; rank < kProcesses; ++rank)
        for (int i = 1; i <= notes_->operations[static_cast<std::size_t>(rank)].all(); ++i)
          places.push_back({mode, rank, i});
    }
    return places;
  }

  // Whether the place was met.
  bool lose_power(const Place& place, const Moment& moment) {
    notes_->strike("none");
    live_as_processes(training(place.mode), *notes_, [&](std::int64_t rank) -> Hook {
      if (rank != place.rank) return {};
      return [&](const Operation& operation) {
        if (operation.number == moment.commit) volume_.commit_journal();
        if (operation.number != moment.loss) return;
        if (volume_.cut_power()) notes_->strike(label(operation));
        ::kill(0, SIGKILL);
      };
    });
    volume_.unmount();
    const std::string struck = notes_->struck.data();
    const bool met = struck != "none";
    result_.trials += met ? 1 : 0;
    ++result_.histogram[struck];
    if (volume_.mount())
      check(disk(), folder(), notes_->acknowledged, result_);
    else
      result_.failures.emplace_back(kUnmountable);
    return met;
  }

 private:
  fs::path folder() const { return volume_.root() / "checkpoints"; }
  Training training(SaveMode mode) const { return {.folder = folder(), .saves = 3, .mode = mode}; }

  Volume volume_;
  Result& result_;
  SharedNotes notes_;
};

Result ours(const FileSystem& kind, const Request& request, std::int64_t count) {
  constexpr std::size_t kLossesOfAVolume = 50;
  Result result{"powerloss", concat(kOurs, ", ", kind.name), request.seed};
  Random random(request.seed);
  Ours ours(kind, result);
  if (!ours.works()) {
    result.untried = kUntried;
    return result;
  }
  auto places = ours.places();
  if (count > 0) std::shuffle(places.begin(), places.end(), random);
  const auto trials = count > 0 ? count : static_cast<std::int64_t>(places.size());
  const auto missing = make_trials(trials, [&, next = std::size_t{0}](std::int64_t) mutable {
    if (next % kLossesOfAVolume == 0) ours.begin();
    const auto& place = places[next++ % places.size()];
    return ours.lose_power(place, any_moment(place.operation, random));
  });
  if (missing) result.failures.push_back(*missing);
  return result;
}

// The same in memory: every operation, with every kind of loss and some by chance.
Result ours_in_memory(const Request& request) {
  Result result{"powerloss", concat(kOurs, ", memory"), request.seed};
  Random random(request.seed);
  for (int operation = 1, last = 0; last == 0; ++operation) {
    for (int loss = 0; loss < 8; ++loss) {
      MemoryFiles memory;
      FaultyFiles files(memory);
      NoPeers alone;
      std::int64_t acknowledged = 0;
      Training training{.folder = "/run/checkpoints", .saves = 2};
      training.acknowledge = [&](std::int64_t step) { acknowledged = step; };
      live(training, files, alone);
      files.arm(fail_from(operation, EIO));
      try {
        live(training, files, alone);
        last = operation;
      } catch (const Error&) {
        // The power is gone.
      }
      loss < 4 ? memory.crash(static_cast<Loss>(loss)) : memory.crash(random());
      ++result.trials;
      check(memory, training.folder, acknowledged, result);
    }
  }
  return result;
}

// ---- controls -------------------------------------------------------------------------------------------------------

// Step 1 is durable; step 2 is being saved.
void lose_power(const Pattern& pattern, Volume& volume, const Moment& moment, Result& result) {
  if (!volume.format_and_mount()) {
    result.failures.emplace_back(kUnmountable);
    return;
  }
  const fs::path folder = volume.root() / "run";
  disk().make_folder(folder);
  pattern.save(disk(), folder, 1);
  ::sync();
  const SharedNotes notes;
  const auto save = [&] {
    FaultyFiles files(disk());
    files.arm([&](const Operation& operation) {
      if (operation.number == moment.commit) volume.commit_journal();
      if (operation.number != moment.loss) return;
      volume.cut_power();
      ::_exit(1);
    });
    pattern.save(files, folder, 2);
    notes->acknowledged = 2;
    volume.cut_power();
  };
  Child(save).wait();
  volume.unmount();
  if (!volume.mount()) {
    result.failures.emplace_back(kUnmountable);
    return;
  }
  ++result.trials;
  const auto step = pattern.load(disk(), folder);
  if (!step)
    ++result.unloadable;
  else if (*step < notes->acknowledged)
    ++result.lost;
}

Result control(const Pattern& pattern, const FileSystem& kind, const Request& request) {
  constexpr int kPlacements = 3;
  Result result{"powerloss", concat(pattern.name, ", ", kind.name), request.seed};
  result.control = true;
  MemoryFiles memory;
  FaultyFiles counted(memory);
  memory.make_folder("/run");
  pattern.save(memory, "/run", 1);
  pattern.save(counted, "/run", 2);
  Random random(request.seed);
  Volume volume(kind);
  if (!volume.works()) {
    result.untried = kUntried;
    return result;
  }
  for (int operation = 1; operation <= counted.operations() + 1; ++operation)
    for (int i = 0; i < kPlacements; ++i) lose_power(pattern, volume, any_moment(operation, random), result);
  return result;
}

}  // namespace

Results power_loss(const Request& request) {
  Results results{ours_in_memory(request)};
  const auto kinds = static_cast<std::int64_t>(kFileSystems.size());
  for (const auto& kind : kFileSystems)
    results.push_back(ours(kind, request, request.count == 0 ? 0 : (request.count + kinds - 1) / kinds));
  for (const auto& pattern : losing_patterns()) results.push_back(control(pattern, kFileSystems.front(), request));
  return results;
}

}  // namespace peerless::reliability
