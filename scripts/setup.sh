#!/usr/bin/env bash
# Puts everything the build needs on this machine. Safe to run again: what is there stays, and that takes no time.
#
#   scripts/setup.sh [--cuda] [--dev] [--launchers] [--campaigns] [--no-packages]
#
#   --cuda          also NVIDIA's libraries, to run what `cmake --preset cuda` builds (with a CUDA toolkit of yours)
#   --dev           also a Python environment with PyTorch and Transformers, which tests/peers compares against
#   --launchers     also Open MPI and Slurm, for tests/launch
#   --campaigns     also Clang with libFuzzer and XFS's tools, for scripts/fuzz and scripts/campaign
#   --no-packages   leave the system's packages alone (they are there in a form that dpkg does not know)
#
# System packages come from apt. LibTorch and SentencePiece, pinned by hash, go to a cache outside the clone:
# $PEERLESS_CACHE, else $XDG_CACHE_HOME/peerless, else ~/.cache/peerless. Every clone shares it. Nothing is written here.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

cuda=no dev=no launchers=no campaigns=no packages=yes
for argument in "$@"; do
  case $argument in
    --cuda) cuda=yes ;;
    --dev) dev=yes ;;
    --launchers) launchers=yes ;;
    --campaigns) campaigns=yes ;;
    --no-packages) packages=no ;;
    -h | --help) show_help ;;
    *) die "unknown argument '$argument'" "usage: scripts/setup.sh [--cuda] [--dev] [--launchers] [--campaigns] [--no-packages]" ;;
  esac
done

at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; } # MINIMUM VERSION

# ---- system packages ------------------------------------------------------------------------------------------------

needed_packages=(g++ cmake ninja-build ccache git ca-certificates unzip python3 python3-pip
  libyaml-cpp-dev libspdlog-dev libcli11-dev nlohmann-json3-dev libxxhash-dev libssl-dev libgloo-dev libgtest-dev libgmock-dev)
[[ $dev == no ]] || needed_packages+=(python3-venv)
[[ $campaigns == no ]] || needed_packages+=(xfsprogs clang-14 libclang-rt-14-dev)
[[ $launchers == no ]] || needed_packages+=(openmpi-bin slurm-wlm munge iproute2)

# A tool may come from elsewhere than its package (a newer CMake, say): being callable is enough.
missing_packages() {
  local package installed
  installed=" $(dpkg-query -W -f '${db:Status-Abbrev}${Package} ' "${needed_packages[@]}" 2>/dev/null || true)"
  for package in "${needed_packages[@]}"; do
    [[ $installed == *" ii $package "* || $installed == *"ii  $package "* ]] && continue
    case $package in
      g++ | cmake | ccache | git | unzip | python3) command -v "$package" >/dev/null && continue ;;
      ninja-build) command -v ninja >/dev/null && continue ;;
      python3-pip) python3 -m pip --version >/dev/null 2>&1 && continue ;;
      python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null && continue ;;
    esac
    printf '%s\n' "$package"
  done
}

install_packages() {
  local missing as_root=()
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} > 0)) || return 0
  if ! command -v apt-get >/dev/null; then
    die "this system has no apt-get. Install what these Debian packages hold, then run again with --no-packages:" \
      "${missing[*]}"
  fi
  if ((EUID != 0)); then
    sudo -n true 2>/dev/null || [[ -t 0 && -x $(command -v sudo) ]] ||
      die "no right to install packages. Ask an administrator for this, then run again:" \
        "apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo)
  fi
  say "packages: installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >/dev/null
}

check_versions() {
  local version
  version=$("${CXX:-g++}" -dumpfullversion -dumpversion 2>/dev/null) || die "no C++ compiler: ${CXX:-g++} does not run"
  [[ $("${CXX:-g++}" --version) == *clang* ]] || at_least 12 "$version" ||
    die "g++ 12 or newer is needed, this is $version. Debian 12 and Ubuntu 24.04 have it;" \
      "on Ubuntu 22.04: apt-get install g++-12, then CXX=g++-12 scripts/setup.sh"
  version=$(cmake --version | awk 'NR == 1 {print $3}')
  at_least 3.25 "$version" ||
    die "CMake 3.25 or newer is needed, this is $version. Debian 12 and Ubuntu 24.04 have it; else: pip install cmake"
}

# ---- the cache ------------------------------------------------------------------------------------------------------

# make FUNCTION FOLDER WORDS: lets FUNCTION fill a fresh folder, which takes its final name only when it is complete.
# So a folder under its final name is whole, however an earlier set-up ended; two at once wait for each other.
make() {
  local fill=$1 folder=$2 words=$3 started=$SECONDS
  [[ ! -d $folder ]] || return 0
  mkdir -p "$cache"
  (
    flock -n 9 || { say "waiting for another set-up that uses $cache"; flock 9; }
    [[ ! -d $folder ]] || exit 0
    say "$words"
    rm -rf "$cache"/.making-*
    work=$cache/.making-$$
    trap 'rm -rf "$work"' EXIT
    mkdir "$work" "$work/download" "$work/result"
    "$fill" "$work/download" "$work/result" "$folder"
    sync -f "$work/result"
    mv -T "$work/result" "$folder"
    say "  done in $((SECONDS - started)) s, $(du -sh "$folder" | cut -f 1): $folder"
  ) 9>"$cache/.lock"
}

pip() { python3 -m pip --disable-pip-version-check --no-input "$@"; }

quietly() { # LOG COMMAND...: shows what the command said only if it fails
  local log=$1
  shift
  "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; die "this failed: $*"; }
}

fill_libtorch() { unpack_wheels runtime "$@"; }
fill_cuda() { unpack_wheels cuda "$@"; }

unpack_wheels() { # LOCK DOWNLOAD RESULT
  local glibc wheel platforms=(--platform manylinux2014_x86_64)
  for glibc in {17..28}; do
    platforms+=(--platform "manylinux_2_${glibc}_x86_64")
  done
  # A wheel for Python 3.11 whatever Python this is: only its C++ libraries and headers are of use.
  quietly "$2/log" pip download --no-deps --no-cache-dir --require-hashes --only-binary=:all: --dest "$2" \
    --python-version 3.11 --implementation cp --abi cp311 --abi none "${platforms[@]}" \
    --requirement "$root/scripts/requirements/$1.lock"
  for wheel in "$2"/*.whl; do
    # The libraries find each other by relative paths, so the folders keep their places.
    case $wheel in
      */torch-*) unzip -q "$wheel" -d "$3" 'torch/lib/*' 'torch/include/*' '*.dist-info/*' -x '*libtorch_python*' ;;
      *) unzip -q "$wheel" -d "$3" ;;
    esac
    rm "$wheel"
  done
}

fill_sentencepiece() { # DOWNLOAD RESULT
  quietly "$1/log" pip download --no-deps --no-cache-dir --require-hashes --no-binary sentencepiece --dest "$1" \
    --requirement "$root/scripts/requirements/sentencepiece.lock"
  tar -xzf "$1"/sentencepiece-*.tar.gz -C "$1"
  quietly "$1/log" cmake -G Ninja -S "$1"/sentencepiece-*/sentencepiece -B "$1/build" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_INSTALL_PREFIX=/ -DCMAKE_INSTALL_LIBDIR=lib -DSPM_ENABLE_SHARED=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON
  quietly "$1/log" cmake --build "$1/build" --target sentencepiece-static sentencepiece_train-static
  mkdir "$2/lib" "$2/include"
  cp "$1"/build/src/libsentencepiece{,_train}.a "$2/lib"
  cp "$1"/sentencepiece-*/sentencepiece/src/sentencepiece_{processor,trainer}.h "$2/include"
  cp "$1"/sentencepiece-*/sentencepiece/LICENSE "$2"
}

fill_dev() { # DOWNLOAD RESULT FOLDER
  python3 -m venv "$2"
  quietly "$1/log" "$2/bin/python" -m pip --disable-pip-version-check --no-input install --no-deps --no-cache-dir \
    --require-hashes --only-binary=:all: --requirement "$root/scripts/requirements/dev.lock"
  grep -lIr "^#!$2/" "$2/bin" | xargs -r sed -i "1s|^#!$2/|#!$3/|" # its programs name the folder they end up in
}

# ---- main -----------------------------------------------------------------------------------------------------------

[[ $packages == no ]] || install_packages
check_versions
make fill_sentencepiece "$(cached sentencepiece)" "sentencepiece: download 3 MB, build (about a minute)"
if [[ $(uname -m) == x86_64 ]]; then
  make fill_libtorch "$(cached runtime)" "libtorch: download 0.55 GB, unpack 1.1 GB"
  libtorch=$(cached runtime)/torch
else
  libtorch="not here: on $(uname -m) hand CMake one of your own, -DPEERLESS_LIBTORCH=/path/to/libtorch"
fi
if [[ $cuda == yes ]]; then
  make fill_cuda "$(cached cuda)" "cuda: download 2.4 GB, unpack 4 GB (some minutes)"
fi
if [[ $dev == yes ]]; then
  make fill_dev "$(cached dev)" "dev: download 2.6 GB, install 5 GB (some minutes)"
fi

say "libtorch       $libtorch"
say "sentencepiece  $(cached sentencepiece)"
[[ $cuda == no ]] || say "cuda           $(cached cuda)/torch"
[[ $dev == no ]] || say "dev            $(cached dev)/bin/python"
