#include "peerless/eval/evaluate.h"

#include <cmath>
#include <numbers>

#include "peerless/model/batch_tensors.h"
#include "peerless/model/evaluation_mode.h"

namespace peerless {

double EvalReport::loss() const { return summed_loss / static_cast<double>(targets); }
double EvalReport::perplexity() const { return std::exp(loss()); }
double EvalReport::bits_per_byte() const { return summed_loss / (std::numbers::ln2 * static_cast<double>(raw_bytes)); }

std::string EvalReport::text() const {
  char numbers[128];
  std::snprintf(numbers, sizeof numbers, "loss %.4f  perplexity %.2f  bits per byte %.4f", loss(), perplexity(),
                bits_per_byte());
  auto line = concat(numbers, "  (", documents, " documents, ", targets, " tokens)");
  for (const auto& [name, value] : figures) {
    std::snprintf(numbers, sizeof numbers, "  %s %.4f", name.c_str(), value);
    line += numbers;
  }
  return line;
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
