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
((EUID != 0)) || options+=(--allow-run-as-root)
# Threads are the program's to choose: without this each process would be bound to one core.
exec mpirun "${options[@]}" --bind-to none ${MPI_OPTIONS:-} "$program" train "$@"
