#!/usr/bin/env bash
# Trains with several processes of this machine under torchrun (of PyTorch), which starts all anew, from the newest
# checkpoint, when one fails: three times.
#
#   scripts/launch/torchrun.sh 8 build/release/peerless --config run.yaml [KEY=VALUE ...]
#
# Several machines: the same command on each, with NNODES=4 and RDZV_ENDPOINT=HOST:29400 (a host of them) set,
# and the same PEERLESS_SECRET or PEERLESS_SECRET_FILE.
set -euo pipefail
processes=${1:?the number of processes of this machine} program=${2:?the program, then what follows \`peerless train\`}
shift 2
where=(--standalone)
# Keeps strangers out of the run (SECURITY.md).
[[ ${NNODES:-1} == 1 || -n ${PEERLESS_SECRET:-}${PEERLESS_SECRET_FILE:-} ]] ||
  { echo "error: set the same PEERLESS_SECRET or PEERLESS_SECRET_FILE on all machines (SECURITY.md)" >&2; exit 1; }
[[ ${NNODES:-1} != 1 || -n ${PEERLESS_SECRET_FILE:-} ]] ||
  export PEERLESS_SECRET=${PEERLESS_SECRET:-$(od -An -N 32 -tx1 /dev/urandom | tr -d ' \n')}
[[ ${NNODES:-1} == 1 ]] || where=(--nnodes "$NNODES" --rdzv-backend c10d --rdzv-endpoint "${RDZV_ENDPOINT:?HOST:PORT}")
exec "${TORCHRUN:-torchrun}" "${where[@]}" --no-python --nproc-per-node "$processes" --max-restarts 3 "$program" train "$@"
