#include "peerless/eval/evaluate.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <optional>

#include "peerless/model/batch_tensors.h"
#include "peerless/model/evaluation_mode.h"
#include "peerless/model/stats_sum.h"
#include "peerless/params/parameter_set.h"

namespace peerless {
namespace {

// "  usage 0.9102 .. 0.9727  unevenness ...": of each figure the least and the greatest of all layers.
std::string over_layers(const Figures& figures) {
  struct Range {
    std::string name;
    double least, greatest;
  };
  std::vector<Range> ranges;
  for (const auto& [name, value] : figures) {
    const auto figure = name.substr(name.rfind('.') + 1);
    const auto known = std::find_if(ranges.begin(), ranges.end(), [&](const auto& r) { return r.name == figure; });
    if (known == ranges.end()) {
      ranges.push_back({figure, value, value});
    } else {
      known->least = std::min(known->least, value);
      known->greatest = std::max(known->greatest, value);
    }
  }
  std::string text;
  for (const auto& [name, least, greatest] : ranges) {
    char from[32], to[32];
    std::snprintf(from, sizeof from, " %.4f", least);
    std::snprintf(to, sizeof to, " .. %.4f", greatest);
    text += concat("  ", name, from, least < greatest ? to : "");
  }
  return text;
}

// The batches of a process, in the order of its part of the tree; none where the tree has no leaf. The leaves are the
// numbers of batches with their bits reversed: so each process gets long batches and short ones.
std::vector<std::optional<std::int64_t>> batches_of(std::int64_t rank, std::int64_t world_size, std::int64_t batches) {
  const auto leaves = std::bit_ceil(static_cast<std::uint64_t>(std::max(batches, world_size)));
  const auto size = static_cast<std::int64_t>(leaves);
  std::vector<std::optional<std::int64_t>> mine;
  for (std::int64_t leaf = rank * size / world_size; leaf < (rank + 1) * size / world_size; ++leaf) {
    std::int64_t index = 0;
    for (std::int64_t bit = 1, from = leaf; bit < size; bit *= 2, from /= 2) index = 2 * index + from % 2;
    mine.push_back(index < batches ? std::optional(index) : std::nullopt);
  }
  return mine;
}

bool is_sharded(const LanguageModel& model) {
  return std::ranges::any_of(ParameterSet(model).parameters(), [](const auto& p) { return !p.shard.is_whole(); });
}

std::int64_t num_batches(const std::vector<std::optional<std::int64_t>>& of_leaves) {
  return std::count_if(of_leaves.begin(), of_leaves.end(), [](const auto& index) { return index.has_value(); });
}

}  // namespace

double EvalReport::loss() const { return summed_loss / static_cast<double>(targets); }
double EvalReport::perplexity() const { return std::exp(loss()); }
double EvalReport::bits_per_byte() const { return summed_loss / (std::numbers::ln2 * static_cast<double>(raw_bytes)); }

std::string EvalReport::text() const {
  char numbers[128];
  std::snprintf(numbers, sizeof numbers, "loss %.4f  perplexity %.2f  bits per byte %.4f", loss(), perplexity(),
                bits_per_byte());
  return concat(numbers, "  (", documents, " documents, ", targets, " tokens)", over_layers(figures));
}

nlohmann::ordered_json EvalReport::json() const {
  nlohmann::ordered_json json{
      {"loss", loss()},         {"perplexity", perplexity()}, {"bits_per_byte", bits_per_byte()},
      {"documents", documents}, {"tokens", targets},          {"bytes", raw_bytes}};
  for (const auto& [name, value] : figures) json[name] = value;
  return json;
}

EvalReport evaluate(LanguageModel& model, const EvalSet& set, Communicator& communicator) {
  return *evaluate_unless({}, model, set, communicator);
}

std::optional<EvalReport> evaluate_unless(const std::function<bool()>& stopped, LanguageModel& model,
                                          const EvalSet& set, Communicator& communicator) {
  const EvaluationMode evaluation(model);
  const auto device = model.decoder->embedding().device();
  const auto score = [&](std::int64_t index, bool counts) {
    const Batch batch = set.batch(index);
    auto [inputs, targets, mask] = tensors_of(batch, device);
    if (!counts) mask = at::zeros_like(mask);
    auto decoded = model.decoder->forward(inputs, mask.to(at::kBool));
    decoded.stats.set("loss", model.head->loss(decoded.hidden, targets, mask).cross_entropy);
    return std::move(decoded.stats);
  };
  const auto one_stops = [&] { return stopped && any(communicator, stopped()); };
  StatsSum sums(SumOrder::tree);
  const std::int64_t processes = communicator.world_size();
  const auto mine = batches_of(communicator.rank(), processes, set.batches());
  for (const auto& index : mine) {
    if (index && one_stops()) return std::nullopt;
    sums.add(index ? score(*index, /*counts=*/true) : Stats());
  }
  // Who has nothing to do has zeros of the right shapes to add. Processes that hold a model together go through it
  // equally often, and all are asked equally often.
  std::int64_t most = 1;
  for (std::int64_t r = 0; r < processes; ++r)
    most = std::max(most, num_batches(batches_of(r, processes, set.batches())));
  const bool sharded = is_sharded(model);
  for (std::int64_t i = num_batches(mine); i < most; ++i) {
    if (one_stops()) return std::nullopt;
    if (i > 0 && !sharded) continue;
    auto zeros = score(set.batches() - 1, /*counts=*/false);
    if (i == 0) sums.add(std::move(zeros));
  }
  Stats total = sum(communicator, sums.total());
  const double loss = total.take("loss").item<double>();
  return EvalReport{set.documents(), set.targets(), set.raw_bytes(), loss, model.decoder->figures(total), total};
}

}  // namespace peerless
