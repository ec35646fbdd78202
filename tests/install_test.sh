#!/usr/bin/env bash
# What `cmake --install` makes works from its prefix, and from no other place: programs, units, libraries.
# Usage: install_test.sh BUILD_DIRECTORY SOURCE_DIRECTORY. Prints what it could not look at.
set -euo pipefail
build=$1 source=$2
scratch=$(mktemp -d /tmp/warmpool-install.XXXXXX)
daemon=
cleanup() {
  local status=$?
  if [ -n "$daemon" ]; then kill -QUIT "$daemon" 2>/dev/null || true; wait "$daemon" 2>/dev/null || true; fi
  rm -rf "$scratch"
  exit "$status"
}
trap cleanup EXIT
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }
skipped() { printf 'install: not looked at: %s\n' "$*"; }

# Another prefix than the one that was configured.
prefix=$scratch/somewhere
cmake --install "$build" --prefix "$prefix" >"$scratch/log" 2>&1 || { tail "$scratch/log"; fail "cmake --install"; }
leaked=$(grep -rlI -e "$source" -e "$build" -e @ "$prefix/lib" --include='*.service' --include='*.pc' || true)
[ -z "$leaked" ] || fail "names of the build tree, or of nothing, in: $leaked"

# The programs find each other.
runtime=$scratch/run
"$prefix/bin/warmpoold" --config /dev/null --runtime-dir "$runtime" --workers 1 >"$scratch/daemon.log" 2>&1 &
daemon=$!
call() { "$prefix/bin/warmpool" --socket "$runtime/warmpool.sock" "$@"; }
for _ in $(seq 200); do call ping >/dev/null 2>&1 && break; sleep 0.1; done
[ "$(call submit echo installed --wait)" = installed ] || { cat "$scratch/daemon.log"; fail "no answer"; }
[ "$(call run -n -- readlink /proc/self/exe)" != "" ] || fail "run"
"$prefix/bin/warmpool" config check /dev/null >/dev/null || fail "config check"
call stop || fail "stop"
wait "$daemon" || fail "the daemon ended with $?"
daemon=

# The units name what is there. Their user need not be.
for unit in system user; do
  file=$prefix/lib/systemd/$unit/warmpool.service
  program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$file")
  [ -x "$program" ] || fail "$file starts $program, which is not there"
  page=$(sed -n 's/^Documentation=file:\/\///p' "$file")
  [ -f "$page" ] || fail "$file names the page $page, which is not there"
  if command -v systemd-analyze >/dev/null; then
    said=$(XDG_RUNTIME_DIR=$scratch systemd-analyze --$unit verify "$file" 2>&1) || fail "$file: $said"
    [ -z "$said" ] || fail "$file: $said"
  else
    skipped "the $unit unit (systemd-analyze is not there)"
  fi
done

# The library compiles and links from the prefix alone.
if command -v pkg-config >/dev/null; then
  cat >"$scratch/worker.cpp" <<'END'
#include "worker/worker.hpp"
int main() {
  warmpool::worker::Worker worker("installed");
  worker.handle("t", [](warmpool::worker::Context&) { return warmpool::worker::done("x", warmpool::Content::Utf8); });
  return worker.run();
}
END
  cat >"$scratch/client.cpp" <<'END'
#include "client/client.hpp"
int main() { return warmpool::client::Client::connect({.socket = "/nonexistent"}) ? 1 : 0; }
END
  for program in worker client; do
    # shellcheck disable=SC2046
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name warmpool.pc)") \
      sh -c 'g++ "$1" -o "$2" $(pkg-config --cflags --libs warmpool)' - \
      "$scratch/$program.cpp" "$scratch/$program" || fail "$program.cpp does not build"
  done
  "$scratch/client" || fail "the client"
  "$scratch/worker" 2>/dev/null && fail "the worker ran without a daemon"
  [ "$("$scratch/worker" 2>&1 | grep -c 'started by the daemon')" = 1 ] || fail "the worker says nothing"
else
  skipped "the libraries (pkg-config is not there)"
fi
