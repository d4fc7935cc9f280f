#include "peerless/train/trained_model.h"

#include <thread>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/config/config.h"
#include "peerless/params/parameter_set.h"

namespace peerless {

at::Device choose_device(Device device) {
  const bool has_cuda = at::hasCUDA();
  if (device == Device::cuda && !has_cuda)
    throw Error(ExitCode::config,
                "device: cuda was asked for, but there is no GPU that this build can use; say cpu or auto");
  return device == Device::cpu || !has_cuda ? at::kCPU : at::kCUDA;
}

// Explicitly, always: only then does LibTorch keep MKL from changing its thread count, and with it bits, when busy.
void set_threads(std::int64_t threads) {
  at::set_num_threads(threads > 0 ? static_cast<int>(threads) : static_cast<int>(std::thread::hardware_concurrency()));
}

std::shared_ptr<LanguageModel> build_model(const RunConfig& config, std::int64_t vocab_size, at::Device device) {
  const auto options = at::TensorOptions(at::kFloat).device(device);
  const auto compute = config.train.precision == Precision::bf16 ? at::kBFloat16 : at::kFloat;
  return std::make_shared<LanguageModel>(config.model, vocab_size, config.data.seq_len, options, compute);
}

TrainedModel open_trained_model(Files& files, const std::filesystem::path& path,
                                const std::vector<std::string>& overrides) {
  const Checkpoint checkpoint = find_checkpoint(files, path);
  config::Tree tree = config::parse_yaml(checkpoint.info().config, concat(checkpoint.path(), "/", Manifest::kFileName));
  config::apply_overrides(tree, overrides);
  TrainedModel trained{config::read<RunConfig>(tree), checkpoint.info(), nullptr, nullptr};
  const RunConfig& config = trained.config;
  set_threads(config.train.threads);
  trained.tokenizer = open_tokenizer(config.tokenizer);
  if (trained.tokenizer->digest() != checkpoint.info().tokenizer)
    throw Error(ExitCode::config, "tokenizer: has digest ", trained.tokenizer->digest().hex(), ", ", checkpoint.path(),
                " was trained with ", checkpoint.info().tokenizer.hex());
  trained.model = build_model(config, trained.tokenizer->vocab_size(), choose_device(config.device));
  const NamedTensors tensors = ParameterSet(*trained.model).named_tensors();
  const State state = to_state(tensors);
  checkpoint.load_some(state);
  restore(state, tensors);
  return trained;
}

}  // namespace peerless
