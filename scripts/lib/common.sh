# Shared by the scripts of this folder; sourced, never run.
export LC_ALL=C.UTF-8 # numbers with a point, names in the order of their bytes
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${PEERLESS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/peerless}

say() { printf '%s\n' "$*"; }
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  (($# == 0)) || printf '       %s\n' "$@" >&2
  exit 1
}

# What stands at the head of the script that is run.
show_help() {
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$root/scripts/$(basename "$0")"
  exit 0
}

# For a script that takes no arguments.
expect_none() {
  case ${1:-} in
    '') ;;
    -h | --help) show_help ;;
    *) die "unknown argument '$1'" "$0 takes none" ;;
  esac
}

# What every script configures with: flags that are equal where ccache is to share.
configure() { cmake --preset "$1" ${CI:+-DPEERLESS_WERROR=ON} "${@:2}"; } # PRESET [ARGUMENTS]

# The folder in the cache that belongs to one lock file: cmake/dependencies.cmake names it by the same rule.
cached() { # NAME
  local hash
  hash=$(sha256sum "$root/scripts/requirements/$1.lock")
  printf '%s/%s-%s' "$cache" "$1" "${hash:0:12}"
}
