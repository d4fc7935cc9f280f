#include "peerless/model/transformer.h"

#include "peerless/model/initialization.h"

namespace peerless {
namespace {

std::string layer_prefix(std::size_t layer) { return concat(layer, "."); }

}  // namespace

// Registers each table once, under "tables.<name>".
class Transformer::ModelTables final : public Tables {
 public:
  ModelTables(torch::nn::Module& owner, at::TensorOptions options, const Communicator* group)
      : owner_(owner), options_(options), index_(group ? group->rank() : 0), ways_(group ? group->world_size() : 1) {}

  std::shared_ptr<RowTable> get(const TableUse& use, const Init& init) override {
    auto& table = tables_[use.name];
    if (!table)
      table = owner_.register_module(use.name, std::make_shared<RowTable>(use.rows, use.width, init, options_,
                                                                          RowTable::Columns{use.parts, index_, ways_}));
    TORCH_CHECK(table->weight().sizes() == at::IntArrayRef({use.rows, use.width / ways_}), "table ", use.name,
                " is asked for in two shapes");
    TORCH_CHECK(table->own_parameters().front().init == init, "table ", use.name, " is asked to start in two ways");
    return table;
  }

 private:
  torch::nn::Module& owner_;
  at::TensorOptions options_;
  std::int64_t index_, ways_;  // which part of the columns of how many is held here
  std::map<std::string, std::shared_ptr<RowTable>> tables_;
};

Transformer::Transformer(const ModelConfig& config, std::int64_t vocab_size, std::int64_t max_positions,
                         at::TensorOptions options, at::ScalarType compute, const ShardGroups& groups)
    : Module(options),
      config_(config),
      compute_(compute),
      embedding_(
          make_parameter("embedding", {padded_vocab(vocab_size), config.d_model}, Role::embedding, matrix_init())),
      rope_(std::make_shared<Rope>(config.head_width(), config.rope_theta, max_positions, options)) {
  const auto layers = register_module("layers", std::make_shared<torch::nn::Module>());
  const auto owner = std::make_shared<torch::nn::Module>();
  ModelTables tables(*owner, options, groups.tables);
  for (std::int64_t i = 0; i < config.n_layers; ++i) {
    const Build build{config.d_model, config.n_layers, i, options, &tables, groups};
    const auto norm = [&] { return std::make_shared<RmsNorm>(config.d_model, config.norm_eps, options); };
    Layer layer{norm(), norm(), std::make_shared<Attention>(config, rope_, options),
                build_ffw(build, config.ffw_of(i))};
    const auto part = layers->register_module(std::to_string(i), std::make_shared<torch::nn::Module>());
    part->register_module("attention_norm", layer.attention_norm);
    part->register_module("attention", layer.attention);
    part->register_module("ffw_norm", layer.ffw_norm);
    part->register_module("ffw", layer.ffw);
    layers_.push_back(std::move(layer));
  }
  final_norm_ = register_module("final_norm", std::make_shared<RmsNorm>(config.d_model, config.norm_eps, options));
  register_module("tables", owner);
}

PartOutput Transformer::run(const Layer& layer, const at::Tensor& h, const FfwInput& rest, LayerCache* cache,
                            std::int64_t past) const {
  const auto mixed = h + layer.attention->forward(layer.attention_norm->forward(h).to(compute_), cache, past);
  auto ffw = layer.ffw->forward({layer.ffw_norm->forward(mixed).to(compute_), rest.token_ids, rest.counted});
  return {mixed + ffw.y, std::move(ffw.aux_loss), std::move(ffw.stats)};
}

TransformerOutput Transformer::forward(const at::Tensor& token_ids, const at::Tensor& counted, KvCache* cache) {
  const std::int64_t past = cache ? cache->length : 0;
  const FfwInput rest{{}, token_ids, counted};
  TransformerOutput out;
  auto h = at::embedding(embedding_, token_ids);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    LayerCache* const layer_cache = cache ? &cache->layers[i] : nullptr;
    const auto layer = [this, i, rest, layer_cache, past](const at::Tensor& x) {
      return run(layers_[i], x, rest, layer_cache, past);
    };
    auto part = recompute_ && is_training() ? recompute(layer, h) : layer(h);
    h = std::move(part.h);
    if (part.aux_loss.defined()) out.aux_loss = out.aux_loss.defined() ? out.aux_loss + part.aux_loss : part.aux_loss;
    out.stats.add(part.stats, layer_prefix(i));
  }
  if (cache) cache->length += token_ids.size(1);
  out.hidden = final_norm_->forward(h).to(compute_);
  return out;
}

KvCache Transformer::make_cache(std::int64_t batch, std::int64_t capacity) const {
  KvCache cache;
  const auto options = this->options().dtype(compute_);
  for (std::int64_t i = 0; i < config_.n_layers; ++i) {
    const auto room = [&] { return at::zeros({batch, config_.kv_heads(), capacity, config_.head_width()}, options); };
    cache.layers.push_back({room(), room()});
  }
  return cache;
}

void Transformer::commit(const Stats& stats) {
  for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i].ffw->commit(stats.under(layer_prefix(i)));
}

Figures Transformer::figures(const Stats& stats) const {
  Figures all;
  for (std::size_t i = 0; i < layers_.size(); ++i)
    for (const auto& [name, value] : layers_[i].ffw->figures(stats.under(layer_prefix(i))))
      all.emplace_back(concat("layers.", i, ".", name), value);
  return all;
}

}  // namespace peerless
