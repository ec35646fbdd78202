# Sourced by the other scripts: goes to the root of the repository and defines what they share.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# Sorting, character classes and messages must not depend on who runs this.
export LC_ALL=C.UTF-8

# Debian's own python3 has Debian's modules; another one in PATH need not.
python=/usr/bin/python3
[ -x "$python" ] || python=python3

# ccache keeps its files below HOME; without a home that can be written it would end the build.
if ! mkdir -p "${CCACHE_DIR:-${HOME:-/nonexistent}/.cache/ccache}" 2>/dev/null; then export CCACHE_DISABLE=1; fi

# As many compilers as there are processors, and memory for: a unit with Asio under a sanitizer takes 1.5 GiB.
jobs_by_memory=$(awk '/^MemAvailable/ { print int($2 / 1572864) }' /proc/meminfo)
jobs=$(nproc)
if [ "$jobs_by_memory" -lt "$jobs" ]; then jobs=$jobs_by_memory; fi
if [ "$jobs" -lt 1 ]; then jobs=1; fi

# A tree that root built cannot be written by others; say so instead of failing in the middle of a build.
require_writable_build() {
  if mkdir -p build/logs 2>/dev/null && [ -z "$(find build -maxdepth 3 ! -writable ! -type l -print -quit)" ]; then
    return
  fi
  printf '%s has files that %s cannot write: use your own clone, or: sudo chown -R %s %s\n' \
    "$PWD/build" "$(id -un)" "$(id -un)" "$PWD/build" >&2
  exit 1
}
