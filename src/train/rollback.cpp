// The trainer's way back from a divergence.
#include "peerless/base/log.h"
#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/dist/collectives.h"
#include "peerless/train/trainer.h"

namespace peerless {

// What says that the run has diverged; nothing: it has not.
std::string Trainer::divergence() const {
  if (counters_.skipped_in_a_row >= config_.train.max_skipped_steps)
    return concat("loss or gradient was not finite in ", counters_.skipped_in_a_row,
                  " steps in a row (train.max_skipped_steps); nothing of them was applied");
  if (config_.train.max_rollbacks > 0 && counters_.spikes.in_a_row() >= config_.train.max_spike_steps)
    return concat("the loss was a spike in ", counters_.spikes.in_a_row(), " steps in a row (train.max_spike_steps)");
  return "";
}

void Trainer::check_divergence() {
  if (const auto why = divergence(); !why.empty()) roll_back(why);
}

// To the newest good checkpoint, on all processes; the samples since are left out.
void Trainer::roll_back(const std::string& why) {
  const auto give_up = [&](const auto&... reasons) {
    throw SharedError(ExitCode::diverged, "step ", counters_.step, ": ", why, reasons...,
                      ". A lower optim.lr or a longer schedule.warmup may help");
  };
  const auto most = config_.train.max_rollbacks;
  if (most == 0) give_up();
  const auto spent = gather(communicator_, leads() ? folder_.journal()->rollbacks() : 0).front();
  if (spent >= most) give_up("; it has gone back ", spent, " times before (train.max_rollbacks)");
  saver_.wait();
  std::string found;
  // Rank 0 reads all of a checkpoint, which may take longer than an exchange may: so it is the peers that wait.
  together(peers_, [&] {
    if (!leads()) return;
    saver_.idle();
    auto& journal = *folder_.journal();
    const auto good = CheckpointFolder(files_, folder_.checkpoints()).newest_intact(counters_.probation.good());
    if (!good) return;
    found = good->path().string();
    // First: should the process end between the two, the run comes to the same place, and is counted once.
    CheckpointFolder(files_, folder_.checkpoints()).set_aside_after(good->info().step);
    journal.roll_back({good->info().step, counters_.samples});
    status_.durable(good->info().step);
    progress_->clear_line();
    log::warning("step ", counters_.step, ": ", why, ": going back to step ", good->info().step,
                 ", and leaving out the samples since (rollback ", journal.rollbacks(), " of ", most, ")");
  });
  found = peers_.announce(found);
  if (found.empty()) give_up("; no checkpoint is good yet that it could go back to (checkpoint.good_after)");
  std::optional<Checkpoint> good;
  together(peers_, [&] { good = Checkpoint::open(files_, found); });
  go_on_from(*good);
  open_logs();
}

}  // namespace peerless
