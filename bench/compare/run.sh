#!/usr/bin/env bash
# The bench of record: warmpool beside its peers, on the same workloads, in turns. bench/README.md says how to read it.
#   bench/compare/run.sh [--rounds N] [--quick] [--only A,B] [--json FILE] [--out DIR] [--bin DIR] [--no-install] ...
# Other options are those of compare.py (--help). Installs the peers that are missing when it is root; otherwise it
# says what is missing and measures the rest. Ends all that it started, also when it is interrupted.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$(dirname "$here")")

packages=(gearman-job-server beanstalkd redis-server nats-server python3-celery python3-rq python3-redis python3-joblib
  python3-msgpack python3-matplotlib parallel)

say() { printf 'compare: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

missing_packages() {
  local installed package
  installed=$(dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
  for package in "${packages[@]}"; do
    grep -qxF "$package installed" <<<"$installed" || printf '%s\n' "$package"
  done
}

# A server that is installed here to be measured is not to be started by its package.
policy=/usr/sbin/policy-rc.d
install_packages() {
  local made=no status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=yes
  fi
  { DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 update &&
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"; } \
    >"$log" 2>&1 || status=$?
  [ "$made" = no ] || rm -f "$policy"
  return "$status"
}

install_missing() {
  local missing package
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    say "not root, so these peers are left out. To have them: apt-get install ${missing[*]}"
    return 0
  fi
  say "installing ${missing[*]}"
  install_packages "${missing[@]}" && return 0
  # One that cannot be had does not keep the others away.
  for package in "${missing[@]}"; do
    install_packages "$package" || say "$package cannot be installed: $(tail -n 1 "$log")"
  done
}

install_modules() { # of the folder $1, by its lock
  [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] && return
  command -v npm >/dev/null || { say "npm is not installed: the peers in Node are left out"; return; }
  npm --prefix "$1" ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
    say "npm could not install the modules of $1: peers that need them are left out"
}

build_load() { # into $1
  local source newer=no
  for source in "$here"/*.cpp "$here"/*.hpp; do [ "$1" -nt "$source" ] || newer=yes; done
  [ "$newer" = yes ] || return 0
  mkdir -p "$(dirname "$1")"
  "${CXX:-g++}" -O2 -std=c++20 -Wall -Wextra -I "$root" -o "$1" "$here"/*.cpp || fail "cannot build bench/compare/load.cpp"
}

bin=$root/build/release/bin out=$here/out install=yes options=()
while [ $# -gt 0 ]; do
  case $1 in
    --bin | --out) [ $# -gt 1 ] || fail "$1 wants a folder"; if [ "$1" = --bin ]; then bin=$2; else out=$2; fi; shift 2 ;;
    --no-install) install=no; shift ;;
    *) options+=("$1"); shift ;;
  esac
done
[ -x "$bin/warmpoold" ] || fail "no warmpoold in $bin. Build it: cmake --preset release && cmake --build --preset release, or name its folder with --bin"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ "$install" = yes ]; then
  install_missing
  install_modules "$here"
  install_modules "$root/sdk/node"
fi
build_load "$here/out/load"
rm -f "$log"
# In this script's place, so that a signal reaches the one who ends what was started.
exec /usr/bin/python3 -B "$here/compare.py" --bin "$bin" --load "$here/out/load" --out "$out" ${options[@]+"${options[@]}"}
