#!/usr/bin/env bash
# The main job in two minutes, on the small corpus of this repository: tokenizer, shards, training with a stop and a resume,
# `checkpoint diff` against the run that never stopped, evaluation, a sample.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$root"

peerless=$root/build/release/peerless
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r data/corpus "$work/corpus"
cd "$work"

say "tokenizer and shards"
"$peerless" tokenizer train --vocab-size 600 --out small.model corpus
"$peerless" data prepare --tokenizer small.model --val-fraction 0.1 --out train --val-out val corpus
cat >run.yaml <<'YAML'
run: {name: whole, dir: runs}
tokenizer: {kind: sentencepiece, model: small.model}
data: {seq_len: 32, train: [{path: train}], val: [{path: val, name: small}]}
model:
  n_layers: 2
  d_model: 32
  n_heads: 2
  ffw: {kind: dense, d_ff: 64}
  layers: [{at: [1], ffw: {kind: peer, num_experts: 256, heads: 2, top_k: 4, d_key: 16}}]
train: {global_batch_size: 8, micro_batch_size: 4, max_steps: 60}
checkpoint: {every_steps: 20}
YAML
say "training, whole and in two parts"
"$peerless" train --config run.yaml
"$peerless" train --config run.yaml run.name=parts train.stop_at=33
"$peerless" train --config run.yaml run.name=parts
"$peerless" checkpoint diff runs/whole runs/parts
"$peerless" eval --checkpoint runs/parts
"$peerless" generate --checkpoint runs/parts --prompt "The " --max-tokens 20
say "smoke: ok"
