// A folder in which small models train in seconds: text, shards of bytes, a config.
#pragma once

#include <stdexcept>

#include "tests/cli/program.h"
#include "tests/support/temporary_folder.h"

namespace peerless::test {

class SmallJob {
 public:
  SmallJob() {
    std::string lines;
    for (int i = 0; i < 400; ++i)
      lines += "{\"text\": \"" + std::to_string(i) + " times " + std::to_string(i % 7) + " is " +
               std::to_string(i * (i % 7)) + ".\"}\n";
    write(folder() / "text.jsonl", lines);
    const auto prepared = run({"data", "prepare", "--tokenizer", "byte", "--out", "train", "--val-out", "val",
                               "--val-fraction", "0.1", "text.jsonl"});
    if (prepared.code != 0) throw std::runtime_error(prepared.err);
    write(folder() / "run.yaml", R"(
seed: 1
run: {name: a, dir: runs}
tokenizer: {kind: byte}
data: {seq_len: 16, train: [{path: train}], val: [{path: val, name: small}]}
model:
  n_layers: 2
  d_model: 16
  n_heads: 2
  ffw: {kind: dense, d_ff: 24}
  layers: [{at: [1], ffw: {kind: peer, num_experts: 64, heads: 2, top_k: 4, d_key: 8}}]
train: {global_batch_size: 8, micro_batch_size: 4, max_steps: 40, threads: 2}
optim: {kind: adamw, lr: 1.0e-3}
schedule: {kind: wsd, warmup: 4, decay: 20%}
eval: {every_steps: 20}
checkpoint: {every_steps: 10}
log: {every_steps: 1, peak_tflops: 1}
)");
  }

  const fs::path& folder() const { return folder_.path(); }
  fs::path of_run(const std::string& name) const { return folder() / "runs" / name; }

  Outcome run(const std::vector<std::string>& arguments) const { return test::run(folder(), arguments); }
  Outcome train(const std::string& name, std::vector<std::string> more = {}) const {
    return start(name, std::move(more)).wait();
  }
  Process start(const std::string& name, std::vector<std::string> more = {}, const char* program = "peerless",
                const std::function<void()>& prepare = {}) const {
    std::vector<std::string> arguments{"train", "--config", "run.yaml", "run.name=" + name};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return {folder(), arguments, program, prepare};
  }
  Outcome diff(const std::string& a, const std::string& b) const {
    return run({"checkpoint", "diff", "runs/" + a, "runs/" + b});
  }

  // metrics.jsonl without what depends on the machine.
  std::string metrics(const std::string& name) const {
    std::istringstream lines(content(of_run(name) / "metrics.jsonl"));
    std::string all, line;
    while (std::getline(lines, line)) {
      const auto perf = line.find(",\"perf\":{");
      all += (perf == std::string::npos ? line : line.substr(0, perf) + line.substr(line.find('}', perf) + 1)) + "\n";
    }
    return all;
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace peerless::test
