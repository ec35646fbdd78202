#!/usr/bin/env bash
# Installs what building and testing warmpool needs on Debian 12, and nothing that is there already: packages, and
# the modules of sdk/node, into a folder there that git ignores: the one that it needs, and for a test of its types
# the TypeScript compiler.
# Silent and well under a second when nothing is missing, so that every other script can call it first.
set -euo pipefail

packages=(
  # Build tools.
  g++ cmake ninja-build ccache git
  # Second compiler and its runtime (libFuzzer) for the fuzzers, and the formatter that the gate runs.
  clang libclang-rt-dev clang-format
  # Looks at the scripts, also in the gate.
  shellcheck
  # Libraries: see the table in docs/architecture.md, section 5.
  libboost-dev libmsgpack-cxx-dev libspdlog-dev libcli11-dev libtomlplusplus-dev
  nlohmann-json3-dev libsqlite3-dev libssl-dev libxxhash-dev
  # Tests and benchmarks.
  libgtest-dev libgmock-dev libbenchmark-dev strace python3 python3-msgpack procps
  # The Python SDK and its tests.
  python3-pytest python3-cloudpickle
)

# An example draws thumbnails with it (sdk/python/examples); without it its tests are skipped, and nothing else misses it.
wished=(python3-pil)

# Any node from 18 on will do; Debian's comes only where there is none.
node_works() { command -v node >/dev/null && command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'; }
node_works || packages+=(nodejs npm)

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

command -v dpkg-query >/dev/null || fail "this script knows Debian only (dpkg-query not found).
setup: on another system install the equivalents of: ${packages[*]}"

# One dpkg-query for all: it prints a line for each package it knows, so what has no line is missing.
installed=$(dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' "${packages[@]}" "${wished[@]}" 2>/dev/null || true)
is_missing() { ! grep -qxF "$1 installed" <<<"$installed"; }
missing=()
for package in "${packages[@]}"; do
  if is_missing "$package"; then missing+=("$package"); fi
done

# The lock says what exactly is installed. Without it (no registry in reach) all else can be built and tested; the tests
# sdk.node.* say what is missing.
install_modules() {
  local folder
  folder=$(dirname "${BASH_SOURCE[0]}")/../sdk/node
  [ "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ] && return
  say "installing the modules of sdk/node"
  npm --prefix "$folder" ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
    say "npm could not install the modules of sdk/node; again with: npm --prefix sdk/node ci"
}

wished_missing=()
for package in "${wished[@]}"; do
  if is_missing "$package"; then wished_missing+=("$package"); fi
done
if [ ${#missing[@]} -eq 0 ] && [ ${#wished_missing[@]} -eq 0 ]; then
  install_modules
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    if [ ${#missing[@]} -eq 0 ]; then
      say "not root and no sudo: without ${wished_missing[*]} the tests of an example are skipped"
      install_modules
      exit 0
    fi
    fail "missing packages: ${missing[*]}
setup: you are not root and there is no sudo. Ask an administrator to run:
setup:   apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  fi
  # "env" because sudo drops variables of the caller.
  as_root=(sudo)
fi

# "timeout" of the lock: another apt (unattended upgrades) may hold it for a moment.
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Use-Pty=0 "$@"
}
install_missing() { apt update && apt install -y --no-install-recommends "${missing[@]}"; }

# A machine that cannot have them is told, and told again next time; it is no fault.
install_wished() {
  say "installing ${wished_missing[*]}, which an example uses"
  apt update >"$log" 2>&1 || true
  apt install -y --no-install-recommends "${wished_missing[@]}" >"$log" 2>&1 ||
    say "they cannot be had here: the tests of that example are skipped"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
[ ${#missing[@]} -eq 0 ] || say "installing ${missing[*]}"
# Mirrors fail for a moment now and then; a second try costs nothing and saves a morning.
if [ ${#missing[@]} -gt 0 ] && ! install_missing >"$log" 2>&1; then
  say "apt failed, trying once more in 5 s"
  sleep 5
  install_missing >"$log" 2>&1 || { cat "$log" >&2; fail "apt could not install: ${missing[*]} (its words are above)"; }
fi
[ ${#wished_missing[@]} -eq 0 ] || install_wished
install_modules
say "done"
