#!/usr/bin/env bash
# From nothing to two trained, compared models: sets up, builds, and runs the whole job on text that the set-up brings
# anyway, the C++ headers of LibTorch (their licence: BSD-3-Clause). Nothing is downloaded for it but the set-up.
#
#   scripts/quickstart.sh          15 to 40 minutes on 2 cores from nothing, under 4 GB of disk beside the set-up
#
# Results: runs/quickstart (one PEER layer), runs/quickstart-dense (its dense twin of equal FLOPs per token). Each time it
# begins anew: these, and data/work/cpp-*, are removed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
expect_none "$@"
cd "$root"

begin=$SECONDS
say() { printf '\n== [%3d s] %s\n' $((SECONDS - begin)) "$*"; }
peerless=build/release/peerless

say "set-up and build"
scripts/setup.sh
mkdir -p build
build() { cmake --preset release && cmake --build --preset release --target peerless; }
build > build/quickstart.log 2>&1 || { tail -n 40 build/quickstart.log; exit 1; }

corpus=$(cached runtime)/torch/include
say "corpus: $(find "$corpus" -name '*.h' | wc -l) C++ headers in $corpus"
echo "beginning anew: data/work/cpp-* and runs/quickstart* of an earlier quickstart are removed"
rm -rf data/work/cpp-4k.model data/work/cpp-train data/work/cpp-val runs/quickstart runs/quickstart-dense
mkdir -p data/work

say "tokenizer: 4,096 pieces of byte-pair encoding"
$peerless tokenizer train --suffix .h --vocab-size 4096 --out data/work/cpp-4k.model "$corpus"

say "token shards: 5% of the documents, chosen by the hash of their text, are held out for validation"
$peerless data prepare --tokenizer data/work/cpp-4k.model --suffix .h --val-fraction 0.05 \
  --out data/work/cpp-train --val-out data/work/cpp-val "$corpus"

say "training with one PEER layer: half of 150 steps, then a stop"
$peerless train --config configs/quickstart.yaml train.stop_at=75
say "resuming it: as if it had never stopped"
$peerless train --config configs/quickstart.yaml

say "training its dense twin: the same in all but that layer's block, which costs the same FLOPs"
$peerless train --config configs/quickstart.yaml run.name=quickstart-dense \
  'model.layers=[{at: [2], ffw: {kind: dense, activation: swiglu, d_ff: 768}}]'

say "evaluating both on all held-out documents"
bits_per_byte() { $peerless eval --checkpoint "$1" eval.max_batches=0 --json | sed -n 's/.*"bits_per_byte":\([0-9.]*\).*/\1/p'; }
peer=$(bits_per_byte runs/quickstart)
dense=$(bits_per_byte runs/quickstart-dense)
[[ $peer && $dense ]] || die "eval gave no number: peer '$peer', dense '$dense'"

say "a sample of the PEER model"
$peerless generate --checkpoint runs/quickstart --prompt 'template <typename T>' --max-tokens 120 --temperature 0.8 --top-k 40 --seed 1

printf '\nquickstart: ok peer_val_bpb=%.4f dense_val_bpb=%.4f minutes=%.1f\n' "$peer" "$dense" \
  "$(echo "$SECONDS $begin" | awk '{ print ($1 - $2) / 60 }')"
