#include "peerless/train/setup.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <limits>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "peerless/base/log.h"
#include "peerless/data/order.h"
#include "peerless/train/machine.h"

namespace peerless {
namespace {

// Before the GPU is used: its kernels are to give the same bits each time.
void choose_deterministic_kernels() {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // else they depend on what other streams do
  auto& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  context.setDeterministicFillUninitializedMemory(false);  // all that is read here has been written
}

template <class Integer>
std::string count(Integer number) {  // "16.8 M", for people
  return human(static_cast<double>(number), "");
}

}  // namespace

std::int64_t gpu_of(const Launch& launch, std::int64_t gpus) {
  if (gpus == 1) return 0;
  if (launch.local_size > gpus)
    throw Error(ExitCode::config, "device: ", launch.local_size, " processes on this host would share ", gpus,
                " GPUs, but each needs its own; start fewer, or say device: cpu");
  return launch.local_rank;
}

at::Device choose_device(Device device, const Launch& launch) {
  const bool has_cuda = at::hasCUDA();
  if (device == Device::cuda && !has_cuda)
    throw Error(ExitCode::config,
                "device: cuda was asked for, but there is no GPU that this build can use; say cpu or auto");
  if (device == Device::cpu || !has_cuda) return at::kCPU;
  choose_deterministic_kernels();
  return {at::kCUDA, static_cast<c10::DeviceIndex>(gpu_of(launch, static_cast<std::int64_t>(at::getNumGPUs())))};
}

at::ScalarType compute_dtype(Precision precision) { return precision == Precision::bf16 ? at::kBFloat16 : at::kFloat; }

void prepare_process(std::int64_t threads, std::int64_t sharers) {
  // Explicitly, always: only then does LibTorch keep MKL from changing its thread count, and with it bits, when busy.
  at::set_num_threads(static_cast<int>(threads > 0 ? threads : std::max<std::int64_t>(1, num_cores() / sharers)));
#ifdef __GLIBC__
  // A step frees what the next one asks for again. Given back to the system in between, all of it would come as fresh
  // pages, each to be cleared first.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

void check_division(const RunConfig& config, std::int64_t processes) {
  BatchShare{config.train.global_batch_size, config.train.micro_batch_size, /*rank=*/0, processes}.check();
  const auto check = [&](const char* key, std::int64_t size) {
    if (processes % size != 0)
      throw Error(ExitCode::config, key, " (", size, ") must divide the number of processes (", processes, ")");
  };
  check("parallel.expert", config.parallel.expert);
  check("parallel.table", config.parallel.table);
}

Division division_of(const RunConfig& config, std::int64_t processes) {
  Division division{.zero = config.parallel.zero == 1};
  if (config.train.determinism == Determinism::run) return division;
  const auto check = [](std::int64_t number, const char* what) {
    if (!std::has_single_bit(static_cast<std::uint64_t>(number)))
      throw Error(ExitCode::config, "train.determinism: elastic needs a power of two as the number of ", what, ", got ",
                  number);
  };
  check(processes, "processes");
  check(config.train.global_batch_size / config.train.micro_batch_size,
        "micro-batches of a step (train.global_batch_size / train.micro_batch_size)");
  division.order = SumOrder::tree;
  return division;
}

std::shared_ptr<LanguageModel> build_model(const RunConfig& config, const Tokenizer& tokenizer, at::Device device,
                                           const ShardGroups& groups) {
  auto model = std::make_shared<LanguageModel>(config.model, config.model.vocab_of(tokenizer.vocab_size()),
                                               config.data.seq_len, at::TensorOptions(at::kFloat).device(device),
                                               compute_dtype(config.train.precision), groups);
  model->decoder->recompute_layers(config.train.recompute == Recompute::layer);
  return model;
}

void describe(const RunConfig& config, const Cost& cost, const TrainingData& data, std::int64_t processes) {
  log::info("model: ", count(cost.parameters), " parameters, ", count(cost.active_parameters), " active, ",
            human(3 * cost.flops, "FLOP"), " per token, forward and backward",
            config.train.recompute == Recompute::layer ? "; layers are recomputed in the backward pass" : "");
  log::info("data: ", count(data.tokens()), " tokens, ", data.samples(), " samples of ", config.data.seq_len,
            "; a step takes ", config.train.global_batch_size);
  if (processes > 1)
    log::info("processes: ", processes, ", each with ",
              config.train.global_batch_size / config.train.micro_batch_size / processes, " micro-batches of a step");
}

std::vector<EvalSet> open_eval_sets(const RunConfig& config, const Tokenizer& tokenizer, const Files& files) {
  std::vector<EvalSet> sets;
  for (const auto& val : config.data.val)
    sets.emplace_back(val, info_of(tokenizer), config.data.seq_len, config.train.micro_batch_size,
                      config.eval.max_batches, files);
  return sets;
}

}  // namespace peerless
