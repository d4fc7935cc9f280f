#!/usr/bin/env bash
# Sets up, builds and runs the tests. No Python takes part, except in `peers`.
#
#   scripts/test.sh                        all of them
#   scripts/test.sh data model             the tests of these rooms
#   scripts/test.sh 'Loader.*'             the tests that a GoogleTest filter names
#   scripts/test.sh peers                  compare with PyTorch and Transformers (installs them: scripts/setup.sh --dev)
#   scripts/test.sh launch [REGEX]         under torchrun, mpirun and a Slurm of its own (scripts/setup.sh --dev
#                                          --launchers); scripts/test.sh slurm: under Slurm alone
#   scripts/test.sh --preset asan [...]    another preset of CMakePresets.json than release
#
# The last line says how it went: "N passed, N failed, N skipped". Lines above it name the skipped tests, with reasons.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$root"

preset=release names=()
while (($# > 0)); do
  case $1 in
    --preset) preset=${2:?--preset needs a name}; shift ;;
    -h | --help) show_help ;;
    -*) die "unknown argument '$1'" "see scripts/test.sh --help" ;;
    *) names+=("$1") ;;
  esac
  shift
done
build=build/$preset

build_it() {
  mkdir -p build
  (
    flock 9 # two runs at once take turns
    configure "$preset" >"$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }
    cmake --build "$build" --target "$@"
  ) 9>"build/.$preset.lock" || die "the build failed"
}

if [[ ${names[*]} == peers ]]; then
  scripts/setup.sh --dev
  build_it peerless peers_probe
  export PEERLESS_PROGRAM=$root/$build/peerless
  exec "$(cached dev)/bin/python" tests/peers/run.py
fi

[[ ${names[*]} != slurm ]] || names=(launch slurm)
if [[ ${names[0]:-} == launch ]]; then
  scripts/setup.sh --dev --launchers
  build_it peerless
  export PEERLESS_PROGRAM=$root/$build/peerless PEERLESS_TORCHRUN=$(cached dev)/bin/torchrun
  exec tests/launch/run.sh "${names[@]:1}"
fi

export GOMP_SPINCOUNT=${GOMP_SPINCOUNT-1000} # as `train` does it: tests may have to share their cores
scripts/setup.sh
filter= rooms=()
for name in "${names[@]}"; do
  if [[ -d tests/$name ]]; then rooms+=("$name"); else filter=${filter:+$filter:}$name; fi
done
programs=("${rooms[@]/%/_tests}")
build_it "${programs[@]:-all}"

passed=0 failed=0 skipped=0
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# One line per test of a GoogleTest report: passed|failed|skipped, its name, why.
read_report() {
  awk '
    function finish() { if (name) print state "\t" name "\t" why; name = "" }
    function attribute(key,   text) {
      if (!match($0, " " key "=\"[^\"]*\"")) return ""
      text = substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 4)
      gsub(/&#x0A;/, " ", text); gsub(/&quot;/, "\"", text); gsub(/&apos;/, "\047", text)
      gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&amp;/, "\\&", text)
      return text
    }
    /^ *<testcase / {
      finish()
      name = attribute("classname") "." attribute("name"); state = "passed"; why = ""
      if (attribute("status") == "notrun") { state = "skipped"; why = "disabled" }
    }
    /^ *<failure / { state = "failed" }
    /^ *<skipped/ { if (state != "failed") { state = "skipped"; why = attribute("message"); sub(/^[^ ]*:[0-9]+ /, "", why) } }
    END { finish() }' "$1"
}

run_tests() { # PROGRAM: adds to the counts
  local program=$1 name log=$results/log report=$results/report.xml status=0 state test why ok=0 bad=0 left=0
  name=$(basename "$program" _tests)
  rm -f "$report"
  SECONDS=0
  timeout --kill-after=10 "${PEERLESS_TEST_TIMEOUT:-1800}" "$program" --gtest_brief=1 --gtest_filter="${filter:-*}" \
    --gtest_output="xml:$report" >"$log" 2>&1 || status=$?
  if [[ -s $report ]]; then
    while IFS=$'\t' read -r state test why; do
      case $state in
        passed) ok=$((ok + 1)) ;;
        failed) bad=$((bad + 1)); say "failed: $test" ;;
        skipped) left=$((left + 1)); say "skipped: $test: $why" ;;
      esac
    done < <(read_report "$report")
  fi
  [[ -s $report ]] || ((status)) || { bad=1; say "failed: $program ended before its tests did"; }
  if ((status != 0)); then
    ((bad > 0)) || { bad=1; say "failed: $program ended with status $status$( ((status == 124)) && echo ': too slow')"; }
    cat "$log"
  fi
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + left))
  ((ok + bad + left == 0)) || say "$name: $ok passed, $bad failed, $left skipped in $SECONDS s"
}

if ((${#rooms[@]} == 0)); then
  mapfile -t programs < <(ctest --test-dir "$build" -N | sed -n 's/^ *Test *#[0-9]*: \(.*\)/\1_tests/p')
fi
for program in "${programs[@]}"; do
  run_tests "$build/$program"
done
((passed + failed + skipped > 0)) || { failed=1; say "no test has such a name: ${names[*]}"; }
say "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
