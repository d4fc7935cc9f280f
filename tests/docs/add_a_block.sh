#!/usr/bin/env bash
# Follows docs/add-a-feed-forward-block.md word for word in a copy of the repository, and runs the contract tests on the block
# that comes of it. Slow: everything above the list of blocks is built once more.
#
#   tests/docs/add_a_block.sh [FOLDER]     the copy goes to FOLDER and stays; without, to a temporary one
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
cd "$root"

copy=${1:-}
if [[ -z $copy ]]; then
  copy=$(mktemp -d)
  trap 'rm -rf "$copy"' EXIT
fi
git ls-files --cached --others --exclude-standard -z | while IFS= read -rd '' file; do
  [[ ! -e $file ]] || printf '%s\0' "$file"
done | xargs -0 cp --parents -t "$copy"

# The page's code, each block under the name that stands above it in bold; a diff is applied.
awk -v copy="$copy" '
  /^\*\*`.*`\*\*$/ { file = copy "/" substr($0, 4, length($0) - 6) }
  /^```/ {
    if (inside) { close(out); inside = 0; file = ""; next }
    if (file == "") { print "error: a block of code without a file above it: line " NR > "/dev/stderr"; exit 1 }
    out = $0 == "```diff" ? file ".diff" : file
    inside = 1; printf "" > out; next
  }
  inside { print > out }' docs/add-a-feed-forward-block.md
cd "$copy"
find . -name '*.diff' -print0 | while IFS= read -rd '' diff; do patch -sp1 --no-backup-if-mismatch <"$diff"; done

configure release >/dev/null
cmake --build build/release --target model_tests train_tests peerless
build/release/peerless config check --config configs/toy.yaml
build/release/peerless plan --config configs/toy.yaml
status=0
for program in model_tests train_tests; do
  build/release/$program --gtest_brief=1 --gtest_filter='*/toy:Toy.*' | tee "$program.log" || status=1
  grep -q '[1-9][0-9]* tests\? from' "$program.log" || die "$program has no test of the new block"
done
passed=$(cat ./*_tests.log | sed -n 's/^\[  PASSED  \] \([0-9]*\) tests\?\.$/\1/p' | awk '{ sum += $1 } END { print sum + 0 }')
failed=$(cat ./*_tests.log | grep -c '^\[  FAILED  \]' || true)
say "$passed passed, $failed failed, 0 skipped"
((status == 0 && passed > 0))
