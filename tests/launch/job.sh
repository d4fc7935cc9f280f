# A folder in which small models train in seconds, and what tests ask of it; sourced by run.sh.

prepare_job() {
  local i
  for i in {0..399}; do echo "{\"text\": \"$i times $((i % 7)) is $((i * (i % 7))).\"}"; done >text.jsonl
  "$program" data prepare --tokenizer byte --out train --val-out val --val-fraction 0.1 text.jsonl
  cat >run.yaml <<'YAML'
seed: 1
tokenizer: {kind: byte}
data: {seq_len: 32, train: [{path: train}], val: [{path: val, name: small}]}
model:
  n_layers: 2
  d_model: 32
  n_heads: 2
  ffw: {kind: dense, d_ff: 48}
  layers: [{at: [1], ffw: {kind: peer, num_experts: 256, heads: 2, top_k: 4, d_key: 16}}]
train: {global_batch_size: 32, micro_batch_size: 4, max_steps: 200, threads: 1, determinism: elastic}
optim: {kind: adamw, lr: 1.0e-3}
schedule: {kind: wsd, warmup: 4, decay: 20%}
eval: {every_steps: 100}
checkpoint: {every_steps: 25}
log: {every_steps: 1, peak_tflops: 1}
YAML
}

train_alone() { "$program" train --config run.yaml run.name="$1" "${@:2}"; } # NAME [KEY=VALUE...]

same_runs() { # NAME NAME
  local said
  said=$("$program" checkpoint diff "runs/$1" "runs/$2") || true
  [[ $said == identical ]] || { echo "runs $1 and $2 differ: $said"; return 1; }
}

# Waits until a file has a line that matches, for so long at most.
wait_for() { # FILE REGEX [SECONDS]
  local end=$((SECONDS + ${3:-60}))
  while ((SECONDS < end)); do
    ! grep -qsE "$2" "$1" || return 0
    sleep 0.1
  done
  echo "no line '$2' in $1"
  return 1
}

process_of() { pgrep -f "^$program .*run.name=$1( |\$)" | sort -n | sed -n "$2p"; } # NAME NUMBER
