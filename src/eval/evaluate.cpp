#include "peerless/eval/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "peerless/model/batch_tensors.h"
#include "peerless/model/evaluation_mode.h"

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

EvalReport evaluate(LanguageModel& model, const EvalSet& set) {
  const EvaluationMode evaluation(model);
  const auto device = model.decoder->embedding().device();
  auto sum = at::zeros({}, at::TensorOptions(device).dtype(at::kDouble));
  Stats stats;
  for (std::int64_t i = 0; i < set.batches(); ++i) {
    const Batch batch = set.batch(i);
    const auto [inputs, targets, mask] = tensors_of(batch, device);
    const auto decoded = model.decoder->forward(inputs, mask.to(at::kBool));
    sum += model.head->loss(decoded.hidden, targets, mask).cross_entropy;
    stats.add(decoded.stats);
  }
  return {set.documents(), set.targets(), set.raw_bytes(), sum.item<double>(), model.decoder->figures(stats), stats};
}

}  // namespace peerless
