// No silent setting: every key of the config has a visible effect. One row per key; a key without a row fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <regex>
#include <set>

#include "peerless/config/config.h"
#include "peerless/train/run_config.h"
#include "tests/cli/small_job.h"

namespace peerless {
namespace {

using test::SmallJob;
using testing::HasSubstr;
using Settings = std::vector<std::string>;

enum class Effect {
  bits,     // other weights after the run
  metrics,  // another metrics.jsonl
  log,      // prints `expected`
  file,     // makes the file `expected`
  error,    // ends with exit `code` and prints `expected`
};

struct Row {
  std::string key;
  Settings changed;  // laid over `base`
  Effect effect = Effect::bits;
  std::string expected = {};
  int code = 0;
  Settings base = {};  // what the key needs in order to matter
};

const Settings kPeer{"model.layers=[]", "model.ffw={kind: peer, num_experts: 64, heads: 2, top_k: 4, d_key: 8}"};
const Settings kBranch{
    "model.layers=[]",
    "model.ffw={kind: peer, num_experts: 64, heads: 2, top_k: 4, d_key: 8, shared_dense: {d_ff: 8}}"};
const Settings kMoe{"model.layers=[]", "model.ffw={kind: moe, num_experts: 4, top_k: 2, d_expert: 8}"};
const Settings kFine{"model.layers=[]", "model.ffw={kind: moe, expansion: 2, granularity: 2, d_ff: 16}"};
const Settings kHash{"model.layers=[]", "model.ffw={kind: hash_moe, num_experts: 4, d_expert: 8}"};
const Settings kPkm{"model.layers=[]", "model.ffw={kind: pkm, num_values: 64, heads: 2, top_k: 4, d_key: 8}"};
const Settings kTwoSources{"data.train=[{path: train, weight: 1}, {path: val, weight: 1}]"};
const Settings kDecay{"train.max_steps=4", "schedule={kind: wsd, warmup: 0, decay: 3}"};
const Settings kMuon{"optim.kind=muon"};
const Settings kMuonWithLargeEps{"optim.kind=muon", "optim.eps=0.01"};
const Settings kManyCheckpoints{"train.max_steps=4", "checkpoint.every_steps=1", "checkpoint.keep_last=2",
                                "checkpoint.good_after=1"};

Settings falling(const std::string& kind) { return {"train.max_steps=4", "schedule={kind: " + kind + ", warmup: 0}"}; }

const std::vector<Row> kRows{
    {"seed", {"seed=2"}},
    {"device", {"device=cuda"}, Effect::error, "no GPU", 78},
    {"run.name", {"run.name=other"}, Effect::file, "runs/other/config.yaml"},
    {"run.dir", {"run.dir=elsewhere"}, Effect::file, "elsewhere/changed/config.yaml"},
    {"tokenizer.kind", {"tokenizer={kind: sentencepiece, model: x}"}, Effect::error, "x: cannot", 66},
    {"tokenizer[sentencepiece].model",
     {"tokenizer.model=y"},
     Effect::error,
     "y: cannot",
     66,
     {"tokenizer={kind: sentencepiece, model: x}"}},
    {"data.seq_len", {"data.seq_len=8"}},
    {"data.train.*.path", {"data.train.0.path=val"}},
    {"data.train.*.weight", {"data.train.0.weight=7"}, Effect::bits, "", 0, kTwoSources},
    {"data.val.*.path", {"data.val.0.path=train"}, Effect::metrics},
    {"data.val.*.name", {"data.val.0.name=renamed"}, Effect::log, "eval renamed at step 2"},
    {"model.n_layers", {"model.n_layers=3"}},
    {"model.d_model", {"model.d_model=8"}},
    {"model.vocab_size", {"model.vocab_size=400"}},
    {"model.n_heads", {"model.n_heads=4"}},
    {"model.n_kv_heads", {"model.n_kv_heads=1"}},
    {"model.head_dim", {"model.head_dim=4"}},
    {"model.rope_theta", {"model.rope_theta=100"}},
    {"model.norm_eps", {"model.norm_eps=0.1"}},
    {"model.qk_norm", {"model.qk_norm=head"}},
    {"model.tie_embeddings", {"model.tie_embeddings=false"}},
    {"model.logit_softcap", {"model.logit_softcap=0.1"}},
    {"model.z_loss", {"model.z_loss=0.1"}},
    {"model.ffw.kind", {"model.ffw={kind: peer, num_experts: 64, heads: 2, top_k: 4, d_key: 8}"}},
    {"model.ffw[dense].activation", {"model.ffw.activation=gelu"}},
    {"model.ffw[dense].d_ff", {"model.ffw.d_ff=16"}},
    {"model.ffw[moe].num_experts", {"model.ffw.num_experts=6"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].top_k", {"model.ffw.top_k=3"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].d_expert", {"model.ffw.d_expert=4"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].expansion", {"model.ffw.expansion=3"}, Effect::bits, "", 0, kFine},
    {"model.ffw[moe].granularity", {"model.ffw.granularity=4"}, Effect::bits, "", 0, kFine},
    {"model.ffw[moe].d_ff", {"model.ffw.d_ff=8"}, Effect::bits, "", 0, kFine},
    {"model.ffw[moe].activation", {"model.ffw.activation=gelu"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].score", {"model.ffw.score=sigmoid"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].normalize_top_k", {"model.ffw.normalize_top_k=false"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].route_scale", {"model.ffw.route_scale=2"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].shared_experts", {"model.ffw.shared_experts=1"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].aux_loss", {"model.ffw.aux_loss=1"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].z_loss", {"model.ffw.z_loss=1"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].bias_update_rate", {"model.ffw.bias_update_rate=0.1"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].post_norm", {"model.ffw.post_norm=true"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[moe].route", {"model.ffw.route=balanced"}, Effect::bits, "", 0, kMoe},
    {"model.ffw[hash_moe].num_experts", {"model.ffw.num_experts=3"}, Effect::bits, "", 0, kHash},
    {"model.ffw[hash_moe].d_expert", {"model.ffw.d_expert=4"}, Effect::bits, "", 0, kHash},
    {"model.ffw[hash_moe].activation", {"model.ffw.activation=gelu"}, Effect::bits, "", 0, kHash},
    {"model.ffw[pkm].num_values", {"model.ffw.num_values=81"}, Effect::bits, "", 0, kPkm},
    {"model.ffw[pkm].heads", {"model.ffw.heads=1"}, Effect::bits, "", 0, kPkm},
    {"model.ffw[pkm].top_k", {"model.ffw.top_k=2"}, Effect::bits, "", 0, kPkm},
    {"model.ffw[pkm].d_key", {"model.ffw.d_key=4"}, Effect::bits, "", 0, kPkm},
    {"model.ffw[pkm].keys", {"model.ffw.keys=shared"}, Effect::bits, "", 0, kPkm},
    {"model.ffw[pkm].query_norm", {"model.ffw.query_norm=rms"}, Effect::bits, "", 0, kPkm},
    {"model.ffw[pkm].score", {"model.ffw.score=relu"}, Effect::bits, "", 0, kPkm},
    {"model.ffw[pkm].gate", {"model.ffw.gate=silu"}, Effect::bits, "", 0, kPkm},
    {"model.ffw[pkm].table", {"model.ffw.table=pool"}, Effect::bits, "", 0, kPkm},
    {"model.ffw[peer].num_experts", {"model.ffw.num_experts=81"}, Effect::bits, "", 0, kPeer},
    {"model.ffw[peer].heads", {"model.ffw.heads=1"}, Effect::bits, "", 0, kPeer},
    {"model.ffw[peer].top_k", {"model.ffw.top_k=2"}, Effect::bits, "", 0, kPeer},
    {"model.ffw[peer].d_key", {"model.ffw.d_key=4"}, Effect::bits, "", 0, kPeer},
    {"model.ffw[peer].keys", {"model.ffw.keys=per_head"}, Effect::bits, "", 0, kPeer},
    {"model.ffw[peer].query_norm", {"model.ffw.query_norm=rms"}, Effect::bits, "", 0, kPeer},
    {"model.ffw[peer].score", {"model.ffw.score=relu"}, Effect::bits, "", 0, kPeer},
    {"model.ffw[peer].activation", {"model.ffw.activation=none"}, Effect::bits, "", 0, kPeer},
    {"model.ffw[peer].glu", {"model.ffw.glu=true"}, Effect::bits, "", 0, kPeer},
    {"model.ffw[peer].shared_dense.activation",
     {"model.ffw.shared_dense.activation=gelu"},
     Effect::bits,
     "",
     0,
     kBranch},
    {"model.ffw[peer].shared_dense.d_ff", {"model.ffw.shared_dense.d_ff=4"}, Effect::bits, "", 0, kBranch},
    {"model.ffw[peer].table", {"model.ffw.table=pool"}, Effect::bits, "", 0, kPeer},
    {"model.layers.*.at", {"model.layers.0.at=[0]"}},
    {"model.layers.*.ffw.kind", {"model.layers.0.ffw={kind: dense, d_ff: 8}"}},
    {"train.global_batch_size", {"train.global_batch_size=4"}},
    {"train.micro_batch_size", {"train.micro_batch_size=2"}},
    {"train.max_steps", {"train.max_steps=3"}, Effect::log, "step 3/3"},
    {"train.stop_at", {"train.stop_at=1"}, Effect::log, "step 1/1"},
    {"train.precision", {"train.precision=bf16"}},
    {"train.recompute", {"train.recompute=layer"}, Effect::log, "layers are recomputed"},
    {"train.threads", {"train.threads=1"}, Effect::log, "cpu, 1 threads"},
    {"train.determinism", {"train.determinism=elastic"}, Effect::bits, "", 0, {"train.micro_batch_size=1"}},
    {"train.max_skipped_steps",
     {"train.max_skipped_steps=2"},
     Effect::error,
     "in 2 steps in a row",
     80,
     {"optim.lr=1e30", "train.max_steps=9"}},
    {"train.spike_threshold",
     {"train.spike_threshold=1"},
     Effect::log,
     "is a spike",
     0,
     {"train.max_steps=160", "optim.lr=1e-9"}},
    {"train.max_spike_steps",
     {"train.max_spike_steps=1"},
     Effect::error,
     "going back to step 120",
     80,
     {"train.max_steps=160", "checkpoint.every_steps=20", "checkpoint.mode=sync", "checkpoint.good_after=1",
      "optim.lr=1e-9", "train.spike_threshold=0.5", "train.max_rollbacks=1"}},
    {"train.max_rollbacks",
     {"train.max_rollbacks=1"},
     Effect::error,
     "no checkpoint is good yet",
     80,
     {"optim.lr=1e30", "train.max_steps=20"}},
    {"train.grace_seconds", {"train.grace_seconds=-1"}, Effect::error, "grace_seconds", 78},
    {"train.max_restarts", {"train.max_restarts=-1"}, Effect::error, "max_restarts", 78},
    {"log.samples", {"log.samples=true"}, Effect::file, "runs/changed/samples/step-000000000000-rank-00000.tsv"},
    {"parallel.zero", {"parallel.zero=2"}, Effect::error, "parallel.zero", 78},
    {"parallel.expert", {"parallel.expert=2"}, Effect::error, "parallel.expert has no effect", 78},
    {"parallel.table", {"parallel.table=2"}, Effect::error, "must divide the number of processes (1)", 78},
    {"parallel.timeout_seconds", {"parallel.timeout_seconds=0"}, Effect::error, "timeout_seconds", 78},
    {"parallel.check_every_steps", {"parallel.check_every_steps=x"}, Effect::error, "check_every_steps", 78},
    {"optim.kind", {"optim.kind=adamv"}, Effect::error, "did you mean 'adamw'?", 78},
    {"optim[adamw].lr", {"optim.lr=0.002"}},
    {"optim[adamw].betas", {"optim.betas=[0.5, 0.5]"}},
    {"optim[adamw].eps", {"optim.eps=0.01"}},
    {"optim[adamw].weight_decay", {"optim.weight_decay=0.9"}},
    {"optim[adamw].grad_clip", {"optim.grad_clip=0.01"}, Effect::bits, "", 0, {"optim.eps=0.01"}},
    {"optim[adamw].tables.lr_multiplier", {"optim.tables.lr_multiplier=5"}},
    {"optim[adamw].tables.weight_decay", {"optim.tables.weight_decay=0.5"}},
    {"optim[adamw].tables.grad_clip", {"optim.tables.grad_clip=0.001"}, Effect::bits, "", 0, {"optim.eps=0.01"}},
    {"optim[adamw].tables.update", {"optim.tables.update=dense"}},
    {"optim[muon].lr", {"optim.lr=0.002"}, Effect::bits, "", 0, kMuon},
    {"optim[muon].betas", {"optim.betas=[0.5, 0.5]"}, Effect::bits, "", 0, kMuon},
    {"optim[muon].eps", {"optim.eps=0.01"}, Effect::bits, "", 0, kMuon},
    {"optim[muon].weight_decay", {"optim.weight_decay=0.9"}, Effect::bits, "", 0, kMuon},
    {"optim[muon].grad_clip", {"optim.grad_clip=0.01"}, Effect::bits, "", 0, kMuonWithLargeEps},
    {"optim[muon].tables.lr_multiplier", {"optim.tables.lr_multiplier=5"}, Effect::bits, "", 0, kMuon},
    {"optim[muon].tables.weight_decay", {"optim.tables.weight_decay=0.5"}, Effect::bits, "", 0, kMuon},
    {"optim[muon].tables.grad_clip", {"optim.tables.grad_clip=0.001"}, Effect::bits, "", 0, kMuonWithLargeEps},
    {"optim[muon].tables.update", {"optim.tables.update=dense"}, Effect::bits, "", 0, kMuon},
    {"optim[muon].momentum", {"optim.momentum=0.5"}, Effect::bits, "", 0, kMuon},
    {"schedule.kind", {"schedule.kind=constant"}, Effect::bits, "", 0, {"schedule={kind: cosine, warmup: 0}"}},
    {"schedule[wsd].warmup", {"schedule.warmup=3"}, Effect::bits, "", 0, kDecay},
    {"schedule[wsd].decay", {"schedule.decay=1"}, Effect::bits, "", 0, kDecay},
    {"schedule[wsd].decay_shape", {"schedule.decay_shape=linear"}, Effect::bits, "", 0, kDecay},
    {"schedule[wsd].final_lr_ratio", {"schedule.final_lr_ratio=0.5"}, Effect::bits, "", 0, kDecay},
    {"schedule[cosine].warmup", {"schedule.warmup=3"}, Effect::bits, "", 0, falling("cosine")},
    {"schedule[cosine].final_lr_ratio", {"schedule.final_lr_ratio=0.5"}, Effect::bits, "", 0, falling("cosine")},
    {"schedule[linear].warmup", {"schedule.warmup=3"}, Effect::bits, "", 0, falling("linear")},
    {"schedule[linear].final_lr_ratio", {"schedule.final_lr_ratio=0.5"}, Effect::bits, "", 0, falling("linear")},
    {"schedule[constant].warmup", {"schedule.warmup=3"}, Effect::bits, "", 0, falling("constant")},
    {"eval.every_steps", {"eval.every_steps=1"}, Effect::log, "eval small at step 1"},
    {"eval.max_batches", {"eval.max_batches=1"}, Effect::metrics},
    {"checkpoint.every_steps",
     {"checkpoint.every_steps=1"},
     Effect::file,
     "runs/changed/checkpoints/step-000000000001/MANIFEST.json"},
    {"checkpoint.keep_last",
     {"checkpoint.keep_last=4"},
     Effect::file,
     "runs/changed/checkpoints/step-000000000001/MANIFEST.json",
     0,
     kManyCheckpoints},
    {"checkpoint.mode",
     {"checkpoint.mode=async"},
     Effect::log,
     "while training goes on",
     0,
     {"train.max_steps=4", "checkpoint.every_steps=1", "checkpoint.mode=sync"}},
    {"checkpoint.good_after",
     {"checkpoint.good_after=1"},
     Effect::log,
     "is good: 1 steps went well",
     0,
     {"train.max_steps=4", "checkpoint.every_steps=1", "checkpoint.mode=sync"}},
    {"checkpoint.max_failed_saves", {"checkpoint.max_failed_saves=0"}, Effect::error, "max_failed_saves", 78},
    {"log.every_steps", {"log.every_steps=1"}, Effect::log, "step 1/2"},
    {"log.peak_tflops", {"log.peak_tflops=3"}, Effect::log, "peak 3.0 TFLOP/s (log.peak_tflops)"},
};

Settings together(std::initializer_list<Settings> parts) {
  Settings all{"train.max_steps=2", "eval.every_steps=2", "log.every_steps=2"};
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// Keys of model.layers.*.ffw are declared where those of model.ffw are.
bool is_declared_elsewhere(const std::string& path) { return path.starts_with("model.layers.*.ffw["); }

TEST(KeyEffects, EveryKeyHasARow) {
  std::set<std::string> rows;
  for (const auto& row : kRows) EXPECT_TRUE(rows.insert(row.key).second) << row.key << " has two rows";
  for (const auto& path : config::leaf_paths<RunConfig>())
    EXPECT_TRUE(is_declared_elsewhere(path) || rows.erase(path) == 1) << path << " has no row";
  EXPECT_THAT(rows, testing::IsEmpty()) << "rows of keys that do not exist";
}

// What a change means at resume, of keys and of sections whose keys are all alike.
using enum Resume;
const std::map<std::string, Resume> kAtResume{
    {"seed", must_match},
    {"device", free},
    {"run", free},
    {"tokenizer.kind", must_match},
    {"tokenizer[sentencepiece].model", free},
    {"data.seq_len", must_match},
    {"data.train.*.path", free},
    {"data.train.*.weight", must_match},
    {"data.val", free},
    {"model", must_match},
    {"train.global_batch_size", must_match},
    {"train.micro_batch_size", must_match},
    {"train.max_steps", with_override},
    {"train.stop_at", free},
    {"train.precision", must_match},
    {"train.recompute", free},
    {"train.threads", free},
    {"train.determinism", free},
    {"train.max_skipped_steps", free},
    {"train.spike_threshold", free},
    {"train.max_spike_steps", free},
    {"train.max_rollbacks", free},
    {"train.max_restarts", free},
    {"train.grace_seconds", free},
    {"optim.kind", must_match},
    {"optim[adamw]", with_override},
    {"optim[muon]", with_override},
    {"schedule.kind", must_match},
    {"schedule[wsd]", with_override},
    {"schedule[cosine]", with_override},
    {"schedule[linear]", with_override},
    {"schedule[constant]", with_override},
    {"eval", free},
    {"checkpoint", free},
    {"log", free},
    {"parallel", free},
};

std::optional<Resume> at_resume(const std::string& path) {
  for (const auto& [section, resume] : kAtResume)
    if (config::covers(section, path)) return resume;
  return std::nullopt;
}

TEST(KeyEffects, EveryKeyMeansAtResumeWhatItsRowSays) {
  for (const auto& key : config::keys(config::record_of<RunConfig>()))
    EXPECT_TRUE(key.is_section || at_resume(key.path) == key.resume) << key.path;
}

TEST(KeyEffects, AChangedKeyIsADifferenceOfItsClass) {
  const SmallJob job;
  const auto with = [&](const Settings& settings) {
    return config::load<RunConfig>(disk(), job.folder() / "run.yaml", settings).config;
  };
  for (const auto& row : kRows) {
    if (row.code == 78) continue;  // of no run
    const auto path = std::regex_replace(row.key, std::regex(R"(\[\w+\])"), "");
    std::map<std::string, Resume> differences;
    for (const auto& d : config::compare(with(together({row.base})), with(together({row.base, row.changed}))))
      differences[std::regex_replace(d.path, std::regex(R"(\.\d+)"), ".*")] = d.resume;
    ASSERT_TRUE(differences.contains(path)) << row.key;
    EXPECT_EQ(differences[path], at_resume(row.key)) << row.key;
  }
}

class KeyEffect : public testing::TestWithParam<Row> {
 protected:
  static void SetUpTestSuite() { job = std::make_unique<SmallJob>(); }
  static void TearDownTestSuite() {
    job.reset();
    bases.clear();
  }

  static bool found(const test::Outcome& outcome, const std::string& text) {
    return outcome.err.find(text) != std::string::npos || outcome.out.find(text) != std::string::npos;
  }
  void SetUp() override { std::filesystem::remove_all(job->of_run("changed")); }

  // The run that a row is compared with: made once for all rows that have it.
  struct Base {
    std::string name;
    test::Outcome outcome;
  };
  static const Base& base_of(const Row& row) {
    auto& base = bases[row.base];
    if (base.name.empty()) {
      base.name = "base" + std::to_string(bases.size());
      base.outcome = job->train(base.name, together({row.base}));
    }
    return base;
  }

  static inline std::unique_ptr<SmallJob> job;
  static inline std::map<Settings, Base> bases;
};
INSTANTIATE_TEST_SUITE_P(Of, KeyEffect, testing::ValuesIn(kRows), [](const auto& row) {
  std::string name = row.param.key;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

TEST_P(KeyEffect, IsVisible) {
  const Row& row = GetParam();
  const auto& [base_name, base] = base_of(row);
  const auto changed = job->train("changed", together({row.base, row.changed}));
  const auto in_base = std::regex_replace(row.expected, std::regex("/changed/"), "/" + base_name + "/");
  if (row.effect == Effect::error) {
    EXPECT_EQ(changed.code, row.code) << changed;
    EXPECT_TRUE(found(changed, row.expected)) << changed;
    EXPECT_FALSE(found(base, row.expected)) << base;
    return;
  }
  ASSERT_EQ(base.code, 0) << base;
  ASSERT_EQ(changed.code, 0) << changed;
  if (row.effect == Effect::log) {
    EXPECT_TRUE(found(changed, row.expected)) << changed;
    EXPECT_FALSE(found(base, row.expected)) << base;
  } else if (row.effect == Effect::file) {
    EXPECT_TRUE(std::filesystem::exists(job->folder() / row.expected));
    EXPECT_TRUE(in_base == row.expected || !std::filesystem::exists(job->folder() / in_base));
  } else if (row.effect == Effect::metrics) {
    EXPECT_NE(job->metrics(base_name), job->metrics("changed"));
  } else {
    EXPECT_THAT(job->diff(base_name, "changed").out, HasSubstr("tensor "));
  }
}

}  // namespace
}  // namespace peerless
