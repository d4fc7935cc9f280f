#!/usr/bin/env bash
# Runs the program under real launchers: scripts/test.sh launch [FILTER]. Each test_* function below is a test; its name
# is what FILTER, a regular expression, is compared with. The last line counts them.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=${PEERLESS_PROGRAM:?scripts/test.sh launch sets it}
export TORCHRUN=${PEERLESS_TORCHRUN:?scripts/test.sh launch sets it}
launch=$here/../../scripts/launch
source "$here/job.sh"
for file in "$here"/test_*.sh; do source "$file"; done

passed=0 failed=0
for name in $(compgen -A function | grep '^test_' | grep -E "${1:-.}"); do
  folder=$(mktemp -d)
  started=$SECONDS
  (set -e; cd "$folder"; prepare_job; "$name") >"$folder/log" 2>&1 & # in a condition, set -e would have no effect
  if wait $!; then
    passed=$((passed + 1))
    printf 'ok      %s  %d s\n' "${name#test_}" $((SECONDS - started))
  else
    failed=$((failed + 1))
    printf 'FAILED  %s  %d s\n' "${name#test_}" $((SECONDS - started))
    tail -n 300 "$folder/log" | sed 's/^/  /'
  fi
  rm -rf "$folder"
done
printf '%d passed, %d failed, 0 skipped\n' "$passed" "$failed"
((failed == 0 && passed > 0))
