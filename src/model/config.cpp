#include "peerless/model/config.h"

#include <algorithm>

#include "peerless/model/attention.h"

namespace peerless {
namespace {

template <class F>
auto of_block(const FfwConfig& config, F&& f) {
  return std::visit([&](const auto& c) { return f(c); }, config);
}

// `a` is the first layer's that uses the table, `b` that of `layer`.
void check_agreement(const TableUse& a, const TableUse& b, std::int64_t layer) {
  if (a.rows != b.rows || a.width != b.width)
    throw Error(ExitCode::config, "table '", a.name, "' is used in two shapes: ", a.rows, " x ", a.width, ", and ",
                b.rows, " x ", b.width, " in layer ", layer, "; layers share a table only when both are equal");
  std::string names;
  for (const auto& [name, value] : a.start) names += (names.empty() ? "" : ", ") + name;
  for (std::size_t i = 0; i < a.start.size(); ++i)
    if (a.start[i] != b.start[i])
      throw Error(ExitCode::config, "table '", a.name, "' would start in two ways: ", a.start[i].first, " ",
                  a.start[i].second, ", and ", b.start[i].second, " in layer ", layer,
                  "; layers that share a table must agree in ", names);
}

}  // namespace

void ModelConfig::check() const {
  const auto refuse = [](const auto&... parts) { throw Error(ExitCode::config, parts...); };
  if (!head_dim && d_model % n_heads != 0)
    refuse("n_heads (", n_heads, ") must divide d_model (", d_model, "), or head_dim must be given");
  if (head_width() % 2 != 0)
    refuse("the width of a head (", head_width(), ") must be even: rotary embedding turns pairs");
  if (n_heads % kv_heads() != 0) refuse("n_kv_heads (", kv_heads(), ") must divide n_heads (", n_heads, ")");
  std::vector<std::int64_t> named_by(static_cast<std::size_t>(n_layers), -1);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].at.highest() >= n_layers)
      refuse("layers.", i, ".at: layer ", layers[i].at.highest(), " does not exist: n_layers is ", n_layers,
             ", counted from 0");
    for (std::int64_t layer = 0; layer < n_layers; ++layer) {
      if (!layers[i].at.contains(layer)) continue;
      auto& by = named_by[static_cast<std::size_t>(layer)];
      if (by >= 0) refuse("layers.", i, ".at: layer ", layer, " is already named by layers.", by);
      by = static_cast<std::int64_t>(i);
    }
  }
  if (!layers.empty() && std::count(named_by.begin(), named_by.end(), -1) == 0 && ffw != FfwConfig{})
    refuse("ffw has no effect: layers names every layer");
  tables();
}

const FfwConfig& ModelConfig::ffw_of(std::int64_t layer) const {
  const auto it = std::find_if(layers.begin(), layers.end(), [&](const auto& some) { return some.at.contains(layer); });
  return it == layers.end() ? ffw : it->ffw;
}

std::vector<TableUse> ModelConfig::tables() const {
  std::vector<TableUse> all;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    for (const auto& use : of_block(ffw_of(layer), [&](const auto& c) { return c.tables(d_model, layer); })) {
      const auto known = std::find_if(all.begin(), all.end(), [&](const auto& t) { return t.name == use.name; });
      if (known == all.end())
        all.push_back(use);
      else
        check_agreement(*known, use, layer);
    }
  }
  return all;
}

Cost ModelConfig::cost(std::int64_t seq_len, std::int64_t vocab_size) const {
  const std::int64_t embedding = padded_vocab(vocab_size) * d_model;
  Cost total{embedding + d_model, d_model,
             2.0 * static_cast<double>(vocab_size * d_model)};  // final norm, head's product
  total.parameters += tie_embeddings ? 0 : embedding;
  total.active_parameters +=
      embedding + (tie_embeddings ? 0 : d_model);  // the head, and the token's row when it is another's
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    total += Attention::cost(*this, seq_len);
    total += of_block(ffw_of(layer), [&](const auto& c) { return c.cost(d_model); });
    total += {2 * d_model, 2 * d_model, 0};
  }
  for (const auto& table : tables()) total.parameters += table.rows * table.width;
  return total;
}

}  // namespace peerless
