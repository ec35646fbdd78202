#!/usr/bin/env bash
# Sets up, builds and runs everything there is to test. Callable from any directory, by root and by others.
#   scripts/test.sh          all: about 50 minutes on two processors, half of it when ccache is warm
#   scripts/test.sh --quick  the gate, and the tests of the dev build
# One line per stage; what a stage says is in build/logs/, and is shown when it fails. The release tests come last,
# and their closing line is the last line printed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

sim_steps=20000000
sim_steps_asan=500000
fuzz_seconds=20

usage() { printf 'usage: scripts/test.sh [--quick]\n' >&2; exit 2; }
quick=no
case "${1-}" in
  '') ;;
  --quick) quick=yes ;;
  *) usage ;;
esac
[ $# -le 1 ] || usage

fail() { printf 'test: %s\n' "$*" >&2; exit 1; }

# stage <name> <command...>: runs it with its output in a file, prints one line, ends the script if it fails.
stage() {
  local name=$1 begun=$SECONDS
  local log="build/logs/${name// /-}.log"
  shift
  if "$@" >"$log" 2>&1 </dev/null; then
    printf '[%4d s] %-22s ok, %d s\n' "$SECONDS" "$name" $((SECONDS - begun))
  else
    printf '[%4d s] %-22s FAILED after %d s\n' "$SECONDS" "$name" $((SECONDS - begun))
    tail -n 100 "$log" >&2
    fail "stage \"$name\" failed; all it said is in $PWD/$log"
  fi
}

# Under sanitizers half of the tests wait, the others work.
some_wait=$((jobs + jobs / 2))
configure() { cmake --preset "$1"; }
build() { cmake --build --preset "$1" --parallel "$jobs"; }
run_tests() { ctest --preset "$1" --parallel "$jobs"; }

# The closing line of the last ctest comes after its labels and times, so that it is the last line of all. Most of these
# tests wait more than they work: two for each processor take less than half of the time.
run_last_tests() {
  ctest --preset "$1" --parallel $((2 * jobs)) </dev/null |
    awk '/^[0-9]+% tests passed/ { closing = $0; next } { print; fflush() } END { if (closing) print closing }' ||
    fail "tests of preset $1 failed (above)"
}

# Sanitizers of g++ 12 and clang 14 cannot place their shadow memory under the address randomisation of newer
# kernels (vm.mmap_rnd_bits = 32). Containers may forbid switching it off, and mostly need not.
fixed_addresses=()
if setarch "$(uname -m)" -R true 2>/dev/null; then fixed_addresses=(setarch "$(uname -m)" -R); fi

# Programs that do not exist yet are no failure: the build before has shown that all sources compile.
if_there() { if [ -x "$1" ]; then "$@"; else echo "$1: not there, nothing to do"; fi; }

fuzz_one() {
  local name seeds=()
  name=$(basename "$1" _fuzz)
  mkdir -p "build/fuzz/corpus/$name" "build/fuzz/findings"
  if [ -d "tests/fuzz/corpus/$name" ]; then seeds=("tests/fuzz/corpus/$name"); fi
  # New inputs go to the first directory; the seeds are only read.
  "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/findings/$name-" "build/fuzz/corpus/$name" "${seeds[@]}" 2>&1 |
    sed "s/^/$name: /"
}
export -f fuzz_one

# shellcheck disable=SC2016 # the inner shell expands them
fuzz() {
  local fuzzers=(build/fuzz/bin/*_fuzz)
  [ -x "${fuzzers[0]}" ] || { echo "no fuzzers"; return 0; }
  printf '%s\0' "${fuzzers[@]}" |
    "${fixed_addresses[@]}" xargs -0 -P "$jobs" -n 1 bash -c 'set -o pipefail; fuzz_one "$1" "$0"' "$fuzz_seconds"
}

# Into a directory of its own: shows that the install rules work and leave nothing out.
install_release() {
  rm -rf build/release/installed
  DESTDIR="$PWD/build/release/installed" cmake --install build/release
  local program
  for program in warmpoold warmpool warmpool-worker warmpool-launch; do
    if [ -x "build/release/bin/$program" ]; then
      find build/release/installed -type f -name "$program" -perm -100 | grep -q . || fail "$program was not installed"
    fi
  done
}

scripts/setup.sh
require_writable_build
stage "gate" scripts/gate.sh

if [ "$quick" = yes ]; then
  stage "configure dev" configure dev
  stage "build dev" build dev
  run_last_tests dev
  exit 0
fi

# Release first: it finds plain mistakes soonest. Its tests come last.
stage "configure release" configure release
stage "build release" build release
stage "install release" install_release
stage "simulator" if_there build/release/bin/warmpool-sim --steps "$sim_steps"
stage "simulator's mutants" env BUILD=build/release tests/sim/run_mutants.sh

stage "configure fuzz" configure fuzz
stage "build fuzz" build fuzz
stage "fuzz" fuzz

stage "configure asan" configure asan
stage "build asan" build asan
stage "simulator asan" "${fixed_addresses[@]}" bash -c "$(declare -f if_there); if_there \"\$@\"" - \
  build/asan/bin/warmpool-sim --steps "$sim_steps_asan"
stage "tests asan" "${fixed_addresses[@]}" ctest --preset asan --parallel "$some_wait"

stage "configure tsan" configure tsan
stage "build tsan" build tsan-tests
stage "tests tsan" "${fixed_addresses[@]}" ctest --preset tsan --parallel "$some_wait"

stage "quickstart" scripts/quickstart.sh
run_last_tests release
