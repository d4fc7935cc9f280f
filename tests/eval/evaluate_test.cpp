#include "peerless/eval/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/data/shards.h"
#include "tests/support/local_group.h"
#include "tests/support/models.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::copy_of;
using test::make_model;
using test::same_bits;

constexpr std::int64_t kVocab = 100, kLength = 8;

class Evaluating : public testing::Test {
 protected:
  Evaluating() { write_shard(folder / "val.tok", documents); }
  EvalSet set(std::int64_t batch, std::int64_t max_batches = 0) const {
    return {{.path = (folder / "val.tok").string(), .name = "val"}, tokenizer_of(kVocab), kLength, batch, max_batches};
  }
  // Summed loss of documents, window by window, from plain logits in fp64.
  double reference(LanguageModel& model) const {
    const torch::NoGradGuard no_grad;
    model.eval();
    double sum = 0;
    for (const auto& document : documents) {
      for (std::size_t begin = 0; begin + 1 < document.size(); begin += kLength) {
        const auto end = std::min(document.size(), begin + kLength + 1);
        const std::vector<std::int64_t> window(document.begin() + static_cast<std::ptrdiff_t>(begin),
                                               document.begin() + static_cast<std::ptrdiff_t>(end));
        const auto ids = at::tensor(window, at::kLong).unsqueeze(0);
        const auto hidden = model.decoder->forward(ids.slice(1, 0, -1)).hidden;
        const auto log_probs = model.head->logits(hidden).to(at::kDouble).log_softmax(-1);
        sum -= log_probs.gather(2, ids.slice(1, 1).unsqueeze(2)).sum().item<double>();
      }
    }
    model.train();
    return sum;
  }

  TemporaryFolder folder;
  Documents documents = counting_documents({2, 3, 9, 10, 25, 17, 5, 40});
  std::int64_t targets = 2 + 3 + 9 + 10 + 25 + 17 + 5 + 40 - 8;
};

TEST_F(Evaluating, SumsTheLossOfEveryTokenOfEveryDocument) {
  for (const auto& config : {test::small_model(), test::small_peer_model()}) {
    const auto model = make_model(config, kVocab, kLength);
    const auto report = evaluate(*model, set(3));
    EXPECT_EQ(report.documents, 8);
    EXPECT_EQ(report.targets, targets);
    EXPECT_EQ(report.raw_bytes, 10 * (targets + 8));
    EXPECT_NEAR(report.summed_loss, reference(*model), 1e-5 * report.summed_loss);
  }
}

TEST_F(Evaluating, NumbersMeanWhatTheySay) {
  const auto report = evaluate(*make_model(test::small_model(), kVocab, kLength), set(4));
  EXPECT_DOUBLE_EQ(report.loss(), report.summed_loss / static_cast<double>(targets));
  EXPECT_DOUBLE_EQ(report.perplexity(), std::exp(report.loss()));
  EXPECT_DOUBLE_EQ(report.bits_per_byte(),
                   report.summed_loss / std::numbers::ln2 / (10.0 * static_cast<double>(targets + 8)));
  const auto json = report.json();
  EXPECT_EQ(json["loss"], report.loss());
  EXPECT_EQ(json["bits_per_byte"], report.bits_per_byte());
  EXPECT_EQ(json["documents"], 8);
}

TEST_F(Evaluating, DoesNotDependOnTheBatch) {
  const auto model = make_model(test::small_peer_model(), kVocab, kLength);
  const auto one = evaluate(*model, set(1));
  for (const std::int64_t batch : {2, 5, 100}) {
    const auto other = evaluate(*model, set(batch));
    EXPECT_NEAR(other.summed_loss, one.summed_loss, 1e-5 * one.summed_loss) << batch;
    ASSERT_EQ(other.figures.size(), one.figures.size());
    for (std::size_t i = 0; i < one.figures.size(); ++i)
      EXPECT_NEAR(other.figures[i].second, one.figures[i].second, 1e-5) << one.figures[i].first;
  }
}

TEST_F(Evaluating, TheSameModelGivesTheSameBits) {
  const auto model = make_model(test::small_peer_model(), kVocab, kLength);
  EXPECT_EQ(evaluate(*model, set(3)).summed_loss, evaluate(*model, set(3)).summed_loss);
}

// Also where there are more of them than batches.
TEST_F(Evaluating, AnyNumberOfProcessesGivesTheWholeReport) {
  for (const std::int64_t batch : {1, 5, 100}) {
    const auto alone = evaluate(*make_model(test::small_peer_model(), kVocab, kLength), set(batch));
    for (const std::int64_t processes : {2, 3, 4}) {
      test::in_group(processes, [&](Communicator& communicator) {
        const auto model = make_model(test::small_peer_model(), kVocab, kLength);
        const auto report = evaluate(*model, set(batch), communicator);
        const bool power_of_two = processes != 3;
        EXPECT_NEAR(report.summed_loss, alone.summed_loss, power_of_two ? 0 : 1e-12 * alone.summed_loss);
        ASSERT_EQ(report.figures.size(), alone.figures.size());
        for (std::size_t i = 0; i < alone.figures.size(); ++i)
          EXPECT_NEAR(report.figures[i].second, alone.figures[i].second, power_of_two ? 0 : 1e-6);
        EXPECT_EQ(report.targets, alone.targets);
      });
    }
  }
}

TEST_F(Evaluating, TellsHowExpertsAreUsed) {
  const auto report = evaluate(*make_model(test::small_peer_model(), kVocab, kLength), set(3));
  double usage = -1;
  for (const auto& [name, value] : report.figures)
    if (name == "layers.1.usage") usage = value;
  EXPECT_GT(usage, 0);
  EXPECT_LE(usage, 1);
}

TEST(EvalReport, TellsTheLeastAndTheGreatestOfAllLayers) {
  EvalReport report{.documents = 2, .targets = 10, .raw_bytes = 20, .summed_loss = 20, .figures = {}, .stats = {}};
  EXPECT_EQ(report.text(), "loss 2.0000  perplexity 7.39  bits per byte 1.4427  (2 documents, 10 tokens)");
  report.figures = {
      {"layers.0.usage", 0.5}, {"layers.0.unevenness", 2}, {"layers.3.usage", 0.25}, {"layers.7.usage", 1}};
  EXPECT_EQ(report.text(),
            "loss 2.0000  perplexity 7.39  bits per byte 1.4427  (2 documents, 10 tokens)  usage 0.2500 .. 1.0000  "
            "unevenness 2.0000");
}

TEST_F(Evaluating, LeavesTheModelAsItWas) {
  const auto model = make_model(test::small_peer_model(), kVocab, kLength);
  model->train();
  const auto tensors = ParameterSet(*model).named_tensors();
  const auto before = copy_of(tensors);
  evaluate(*model, set(3));
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_TRUE(same_bits(tensors[i].tensor, before[i])) << tensors[i].name;
  EXPECT_TRUE(model->is_training());
}

}  // namespace
}  // namespace peerless
