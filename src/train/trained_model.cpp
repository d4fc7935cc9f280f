#include "peerless/train/trained_model.h"

#include <algorithm>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/config/config.h"
#include "peerless/params/parameter_set.h"
#include "peerless/train/finite.h"

namespace peerless {
namespace {

void check_overrides(const RunConfig& trained, const RunConfig& used, const std::vector<std::string>& free_keys) {
  for (const auto& d : config::compare(trained, used))
    if (std::none_of(free_keys.begin(), free_keys.end(), [&](const auto& key) { return config::covers(key, d.path); }))
      throw Error(ExitCode::config, d.path, ": is ", d.before, " in the checkpoint, got ", d.after,
                  "; here it has no effect, or makes another model of it");
}

}  // namespace

TrainedModel open_trained_model(Files& files, const std::filesystem::path& path,
                                const std::vector<std::string>& overrides, const std::vector<std::string>& free_keys,
                                bool allow_nonfinite) {
  const Checkpoint checkpoint = find_checkpoint(files, path);
  config::Tree tree = config::parse_yaml(checkpoint.info().config, concat(checkpoint.path(), "/", Manifest::kFileName));
  const auto as_trained = config::read<RunConfig>(tree);
  config::apply_overrides(tree, overrides);
  TrainedModel trained{config::read<RunConfig>(tree), checkpoint.path(), checkpoint.info(), nullptr, nullptr};
  const RunConfig& config = trained.config;
  check_overrides(as_trained, config, free_keys);
  prepare_process(config.train.threads);
  trained.tokenizer = open_tokenizer(config.tokenizer);
  if (trained.tokenizer->digest() != checkpoint.info().tokenizer)
    throw Error(ExitCode::config, "tokenizer: has digest ", trained.tokenizer->digest().hex(), ", ", checkpoint.path(),
                " was trained with ", checkpoint.info().tokenizer.hex());
  trained.model = build_model(config, *trained.tokenizer, choose_device(config.device));
  const NamedTensors tensors = ParameterSet(*trained.model).named_tensors();
  const State state = to_state(tensors);
  checkpoint.load_some(state);
  restore(state, tensors);
  if (!allow_nonfinite) check_finite(tensors, trained.path);
  return trained;
}

}  // namespace peerless
