#!/usr/bin/env bash
# Trains with several processes under Open MPI.
#
#   scripts/launch/mpirun.sh 8 build/release/peerless --config run.yaml [KEY=VALUE ...]
#
# Several machines: set HOSTS=a:8,b:8 and MASTER_ADDR=a (the host of process 0; all must reach it).
set -euo pipefail
processes=${1:?the number of processes} program=${2:?the program, then what follows \`peerless train\`}
shift 2
options=(-n "$processes")
[[ -z ${HOSTS:-} ]] || options+=(--host "$HOSTS" -x "MASTER_ADDR=${MASTER_ADDR:?the host of process 0}")
# Keeps strangers out of the run (SECURITY.md).
[[ -n ${PEERLESS_SECRET_FILE:-} ]] ||
  export PEERLESS_SECRET=${PEERLESS_SECRET:-$(od -An -N 32 -tx1 /dev/urandom | tr -d ' \n')}
[[ -z ${PEERLESS_SECRET:-} ]] || options+=(-x PEERLESS_SECRET)
[[ -z ${PEERLESS_SECRET_FILE:-} ]] || options+=(-x PEERLESS_SECRET_FILE)
((EUID != 0)) || options+=(--allow-run-as-root)
# Threads are the program's to choose: without this each process would be bound to one core.
exec mpirun "${options[@]}" --bind-to none ${MPI_OPTIONS:-} "$program" train "$@"
