#!/usr/bin/env bash
# Checks the form of our files: scripts/lint.sh [--fix]. clang-format is pinned to 14, as other versions differ.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$root"

[[ ${1:-} == --fix ]] || expect_none "$@"
errors=0
complain() { # HEADING COMMAND...: each line that the command prints is a fault
  local heading=$1 found
  shift
  found=$("$@" 2>&1) || true
  [[ -z $found ]] || { say "$heading:"; sed 's/^/  /' <<<"$found"; errors=1; }
}

for clang_format in "$(cached dev)/bin/clang-format" clang-format-14 clang-format none; do
  [[ $("$clang_format" --version 2>/dev/null || true) == *"version 14."* ]] && break
done
[[ $clang_format != none ]] || die "clang-format 14 is needed: scripts/setup.sh --dev brings it"

all_files() { git ls-files --cached --others --exclude-standard | while read -r f; do [[ ! -f $f ]] || echo "$f"; done; }
select_files() { printf '%s\n' "${ours[@]}" | grep -E "$1" || true; } # REGEX
mapfile -t ours < <(all_files)
mapfile -t code < <(select_files '\.(h|cpp|cuh|cu)$')
mapfile -t product < <(printf '%s\n' "${code[@]}" | grep -E '^(src|include)/')
mapfile -t headers < <(select_files '\.(h|cuh)$')
mapfile -t text < <(printf '%s\n' "${ours[@]}" | grep -vE '^(data|tests/fuzz/corpus)/') # a corpus is as it is
mapfile -t shell < <(grep -lE '^#!.*\bbash$' "${ours[@]}")

"$clang_format" --dry-run include/peerless/base/error.h || die "clang-format does not work here"

unformatted() { "$clang_format" --dry-run "${code[@]}" 2>&1 | sed -n 's/^\([^:]*\):.*warning:.*/\1/p' | sort -u; }
spdlog_users() { grep -lE 'include [<"]spdlog/' "${code[@]}" | grep -v '^src/base/log\.cpp$'; }
long_comments() { LC_ALL=C.UTF-8 grep -nHE '^.{121,}' "${code[@]}" | grep -E '^[^:]*:[0-9]+: *//'; }
bad_shell() { for script in "${shell[@]}"; do bash -n "$script"; done; }

if [[ ${1:-} == --fix ]]; then
  "$clang_format" -i "${code[@]}"
else
  complain 'not as clang-format has it (scripts/lint.sh --fix)' unformatted
fi
complain 'using namespace in a header' grep -nE '^using namespace ' "${headers[@]}"
complain 'header without #pragma once' grep -L '^#pragma once' "${headers[@]}"
complain 'disabled test: mend it or delete it' grep -nE 'DISABLED_' "${code[@]}"
complain 'spdlog outside src/base/log.cpp, where its fmt clashes with that of LibTorch' spdlog_users
complain 'unpickles, unpacks or runs a command, as nothing here may (SECURITY.md)' grep -nP \
  '\btorch::(load|save|pickle|jit)|torch/(script|serialize)|\barchive\.h|miniz|\b(popen|system|posix_spawn|exec[lv][pe]*)\((?!"/proc/self/exe")' \
  "${product[@]}"
complain 'unfinished work belongs into an issue' grep -nE '\b(TODO|FIXME|XXX)\b' "${code[@]}"
complain 'white space at the end of a line' grep -nIE '[[:blank:]]+$' "${text[@]}"
complain 'comment longer than 120 characters' long_comments
complain 'not bash' bad_shell

# A warning only: the reader's patience, not a law.
wc -l "${code[@]}" | awk '$1 > 400 && $2 != "total" { print "warning: " $2 " has " $1 " lines, more than 400" }'

((errors == 0)) || die "the form of the files is not right"
say "lint: ${#ours[@]} files are in form"
