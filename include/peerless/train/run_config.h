// Everything that a run is made of: the YAML file's sections, in its order.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "peerless/checkpoint/config.h"
#include "peerless/config/type_of.h"
#include "peerless/data/data_config.h"
#include "peerless/eval/config.h"
#include "peerless/model/config.h"
#include "peerless/optim/config.h"
#include "peerless/optim/schedule.h"
#include "peerless/text/tokenizer.h"

namespace peerless {

enum class Device { automatic, cpu, cuda };
constexpr std::array<std::string_view, 3> enum_names(Device) { return {"auto", "cpu", "cuda"}; }
enum class Recompute { none, layer };
constexpr std::array<std::string_view, 2> enum_names(Recompute) { return {"none", "layer"}; }
enum class Precision { fp32, bf16 };
constexpr std::array<std::string_view, 2> enum_names(Precision) { return {"fp32", "bf16"}; }

enum class Determinism { run, elastic };
constexpr std::array<std::string_view, 2> enum_names(Determinism) { return {"run", "elastic"}; }

struct RunFolderConfig {
  std::string name = "run";
  std::string dir = "runs";

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("name", c.name, NotEmpty{}, "name of the run's folder");
    visit("dir", c.dir, NotEmpty{}, "folder of runs: everything goes to <dir>/<name>/");
  }
  void check() const;  // the name leads nowhere but below the folder
  bool operator==(const RunFolderConfig&) const = default;
};

struct TrainConfig {
  std::int64_t global_batch_size = 32;
  std::int64_t micro_batch_size = 8;
  std::int64_t max_steps = 200;
  std::optional<std::int64_t> stop_at;
  Precision precision = Precision::fp32;
  Recompute recompute = Recompute::none;
  std::int64_t threads = 0;
  Determinism determinism = Determinism::run;
  std::int64_t max_skipped_steps = 10;
  double spike_threshold = 6;
  std::int64_t max_spike_steps = 10;
  std::int64_t max_rollbacks = 0;
  std::int64_t max_restarts = 3;
  std::int64_t grace_seconds = 0;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("global_batch_size", c.global_batch_size, AtLeast{1} && AtMost{1 << 30},
          "sequences per step, over all processes");
    visit("micro_batch_size", c.micro_batch_size, AtLeast{1} && AtMost{1 << 30},
          "sequences per forward pass; their gradients are summed over a step");
    visit("max_steps", c.max_steps, AtLeast{1}, "length of the run; schedules are shares of it", Resume::with_override);
    visit("stop_at", c.stop_at, AtLeast{1}, "end after this step with a durable checkpoint, to be resumed later",
          Resume::free);
    visit("precision", c.precision, Any{}, "dtype of matrix products; parameters, norms, routing and sums stay fp32");
    visit("recompute", c.recompute, Any{},
          "layer: keep only what enters each layer and run it again in the backward pass: a third more work, the same "
          "bits, and memory for the inside of one layer instead of all",
          Resume::free);
    visit("threads", c.threads, AtLeast{0} && AtMost{1 << 12},
          "threads of a process; 0: its share of the cores it may use", Resume::free);
    visit("determinism", c.determinism, Any{},
          "run: the same bits in every replay with as many processes and threads; elastic: with any number of "
          "processes, if it and that of micro-batches are powers of two, for more memory and time (docs/clusters.md)",
          Resume::free);
    visit("max_skipped_steps", c.max_skipped_steps, AtLeast{1},
          "so many steps in a row whose loss or gradient is not finite are a divergence", Resume::free);
    visit("spike_threshold", c.spike_threshold, AtLeast{0.0},
          "a loss above the median of the last 128 by so many of their deviations is a spike, which is logged; 0: none "
          "is",
          Resume::free);
    visit("max_spike_steps", c.max_spike_steps, AtLeast{1},
          "so many spikes in a row are a divergence, where max_rollbacks allows to go back", Resume::free);
    visit(
        "max_rollbacks", c.max_rollbacks, AtLeast{0},
        "how often a run that diverges goes back to its newest good checkpoint and leaves out the samples since; then, "
        "or without one, it gives up (exit 80)",
        Resume::free);
    visit("max_restarts", c.max_restarts, AtLeast{0} && AtMost{1 << 30},
          "refuse to start (exit 81) after a first start and so many restarts have failed without a newer durable "
          "checkpoint",
          Resume::free);
    visit(
        "grace_seconds", c.grace_seconds, AtLeast{0},
        "seconds between a request to stop and the kill that follows: where the last save took more than is left, the "
        "run ends without another; 0: it has as long as it takes",
        Resume::free);
  }
  void check() const {
    if (global_batch_size % micro_batch_size != 0)
      throw Error(ExitCode::config, "micro_batch_size (", micro_batch_size, ") must divide global_batch_size (",
                  global_batch_size, ")");
  }
  bool operator==(const TrainConfig&) const = default;
};

struct LogConfig {
  Duration every_steps = Duration::of_steps(10);
  std::optional<double> peak_tflops;
  bool samples = false;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("every_steps", c.every_steps, Any{}, "steps between log lines and records in metrics.jsonl");
    visit("peak_tflops", c.peak_tflops, Above{0},
          "the peak of one process or GPU, of which MFU is a share; unset: the rate of a matrix product, measured at "
          "the start");
    visit("samples", c.samples, Any{}, "also write down which samples each step trained on, in the run's samples/");
  }
  bool operator==(const LogConfig&) const = default;
};

struct ParallelConfig {
  std::int64_t zero = 0;
  std::int64_t expert = 1;
  std::int64_t table = 1;
  Duration check_every_steps = Duration::of_steps(100);
  std::int64_t timeout_seconds = 600;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("zero", c.zero, AtLeast{0} && AtMost{1},
          "1: each process holds and updates a share of the optimizer's state (ZeRO-1); 0: all of it");
    visit(
        "expert", c.expert, AtLeast{1},
        "size of the groups of processes that divide the experts of each mixture; it divides the number of processes");
    visit("table", c.table, AtLeast{1},
          "size of the groups of processes that divide the columns of tables; it divides the number of processes");
    visit("check_every_steps", c.check_every_steps, Any{},
          "steps between comparisons of what all processes hold alike; a difference ends the run (exit 70)");
    visit("timeout_seconds", c.timeout_seconds, AtLeast{1} && AtMost{7 * 24 * 3600},
          "how long processes wait for one that does not come, or does not go on: then it is lost, and all end (exit "
          "76); set it above the time that loading a checkpoint takes");
  }
  bool operator==(const ParallelConfig&) const = default;
};

struct RunConfig {
  std::int64_t seed = 1;
  Device device = Device::automatic;
  RunFolderConfig run;
  TokenizerConfig tokenizer;
  DataConfig data;
  ModelConfig model;
  TrainConfig train;
  OptimConfig optim;
  ScheduleConfig schedule;
  EvalConfig eval;
  CheckpointConfig checkpoint;
  LogConfig log;
  ParallelConfig parallel;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("seed", c.seed, AtLeast{0}, "of the initialisation and the order of samples");
    visit("device", c.device, Any{}, "where the model lives; auto: CUDA when there is a GPU", Resume::free);
    visit("run", c.run, Any{}, "where results go", Resume::free);
    visit("tokenizer", c.tokenizer, Any{}, "text to token ids and back");
    visit("data", c.data, Any{}, "token shards to train and validate on");
    visit("model", c.model, Any{}, "the architecture");
    visit("train", c.train, Any{}, "batches, length and precision");
    visit("optim", c.optim, Any{}, "the optimizer: AdamW, or Muon for hidden matrices and AdamW for all else");
    visit("schedule", c.schedule, Any{}, "the learning rate over the run");
    visit("eval", c.eval, Any{}, "validation during training", Resume::free);
    visit("checkpoint", c.checkpoint, Any{}, "saving", Resume::free);
    visit("log", c.log, Any{}, "what is printed and recorded", Resume::free);
    visit("parallel", c.parallel, Any{}, "how several processes divide the work (docs/clusters.md)", Resume::free);
  }
  void check() const;

  std::int64_t tokens_per_step() const { return train.global_batch_size * data.seq_len; }
  std::int64_t last_step() const { return std::min(train.max_steps, train.stop_at.value_or(train.max_steps)); }
  bool operator==(const RunConfig&) const = default;
};

// Compiled once, in run_config.cpp.
extern template const config::Record& config::record_of<RunConfig>();

}  // namespace peerless
