#include "peerless/model/config.h"

#include <algorithm>

#include "peerless/base/ranges.h"
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
  const auto [of_a, of_b] = std::mismatch(a.start.begin(), a.start.end(), b.start.begin(), b.start.end());
  if (of_a == a.start.end() && of_b == b.start.end()) return;
  if (of_a == a.start.end() || of_b == b.start.end() || of_a->first != of_b->first)
    throw Error(ExitCode::config, "table '", a.name, "' is used by blocks of two kinds, the second in layer ", layer,
                "; layers share a table only when their blocks are of one kind");
  throw Error(ExitCode::config, "table '", a.name, "' would start in two ways: ", of_a->first, " ", of_a->second,
              ", and ", of_b->second, " in layer ", layer, "; layers that share a table must agree in ", names);
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

std::int64_t ModelConfig::vocab_of(std::int64_t tokenizer_vocab) const {
  if (vocab_size && *vocab_size < tokenizer_vocab)
    throw Error(ExitCode::config, "model.vocab_size (", *vocab_size, ") must not be below the tokenizer's ",
                tokenizer_vocab, " tokens");
  return vocab_size.value_or(tokenizer_vocab);
}

std::vector<CostPart> ModelConfig::cost_parts(std::int64_t seq_len, std::int64_t vocab) const {
  const std::int64_t embedding = padded_vocab(vocab) * d_model;
  const auto times = [](Cost cost, std::int64_t count) {
    Cost sum;
    for (std::int64_t i = 0; i < count; ++i) sum += cost;
    return sum;
  };
  std::vector<CostPart> parts{{"embedding", {embedding, embedding, 0}},
                              {"attention", times(Attention::cost(*this, seq_len), n_layers)}};
  std::vector<FfwConfig> kinds;
  std::vector<std::vector<std::int64_t>> layers_of_kind;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const auto it = std::find(kinds.begin(), kinds.end(), ffw_of(layer));
    if (it == kinds.end()) {
      kinds.push_back(ffw_of(layer));
      layers_of_kind.push_back({layer});
    } else {
      layers_of_kind[static_cast<std::size_t>(it - kinds.begin())].push_back(layer);
    }
  }
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const auto& same = layers_of_kind[i];
    const auto name = of_block(kinds[i], [](const auto& c) { return std::string(c.kind); });
    const Cost one = of_block(kinds[i], [&](const auto& c) { return c.cost(d_model); });
    parts.push_back({concat("ffw: ", name, same.size() == 1 ? ", layer " : ", layers ", ranges(same)),
                     times(one, std::ssize(same))});
  }
  for (const auto& table : tables()) parts.push_back({concat("table ", table.name), {table.rows * table.width, 0, 0}});
  const std::int64_t norms = (2 * n_layers + 1) * d_model;
  parts.push_back({"norms", {norms, norms, 0}});
  const std::int64_t untied = tie_embeddings ? 0 : embedding;
  parts.push_back({tie_embeddings ? "head, the embedding's" : "head",
                   {untied, untied, 2.0 * static_cast<double>(vocab * d_model)}});
  return parts;
}

Cost ModelConfig::cost(std::int64_t seq_len, std::int64_t vocab) const {
  Cost total;
  for (const auto& part : cost_parts(seq_len, vocab)) total += part.cost;
  return total;
}

}  // namespace peerless
