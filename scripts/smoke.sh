#!/usr/bin/env bash
# The main job in three minutes, on the small corpus of this repository: tokenizer, shards, training with a stop and a resume,
# `checkpoint diff` against the run that never stopped, evaluation, a sample; and each block of a family, stopped and resumed.
# It needs build/release/peerless.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
expect_none "$@"
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

say "each block of the smallest family, whole and in two parts"
small=(tokenizer.model=small.model 'data.train=[{path: train}]' 'data.val=[{path: val, name: small}]' data.seq_len=64
  train.global_batch_size=4 train.micro_batch_size=2 train.max_steps=4 eval.every_steps=4 log.every_steps=4)
for config in "$root"/configs/families/d64/*.yaml; do
  name=$(basename "$config" .yaml)
  "$peerless" train --config "$config" "${small[@]}" run.name="$name"
  "$peerless" train --config "$config" "${small[@]}" run.name="$name-parts" train.stop_at=2
  "$peerless" train --config "$config" "${small[@]}" run.name="$name-parts"
  "$peerless" checkpoint diff "runs/$name" "runs/$name-parts"
done
say "smoke: ok"
