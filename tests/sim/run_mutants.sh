#!/usr/bin/env bash
# Shows that the oracle sees: each patch in mutants/ breaks one promise of the core, and the
# simulator must find it within a bounded number of steps.
#
#   tests/sim/run_mutants.sh [NAME...]      all mutants, or those named
#
# A mutant that is found late may end its first line with "[from seed N]": it is looked for there first, and everywhere
# if it is not there. The table says which are found late (more than 2,000,000 steps).
#
# Environment: CXX [g++], JOBS [2], STEPS [64000000] a mutant; BUILD: a build tree of these sources, whose objects
# serve for all that a mutant does not change [compiled here: takes minutes].
# Ends with 0 if every patch applies, compiles and is found; prints a table. Leaves nothing behind.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
jobs=${JOBS:-2}
steps=${STEPS:-64000000}
read -ra compiler <<<"${CXX:-g++}"
if command -v ccache >/dev/null; then compiler=(ccache "${compiler[@]}"); fi
flags=(-std=c++20 -O1 -w)

build=${BUILD:-}
if [ -n "$build" ]; then build=$(cd "$build" && pwd); fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/base/objects" "$work/rows"
cp -r "$root/pool" "$work/base/pool"
mkdir "$work/base/tests"
cp -r "$root/tests/sim" "$work/base/tests/sim"

# What pool/ includes of the standard library, compiled once: half of a mutant's time is to read it.
precompile_standard() {
  sed -n 's/^#include <.*/&/p' "$root"/pool/*.[ch]pp "$root"/pool/image/*.[ch]pp | LC_ALL=C sort -u >"$work/standard.hpp"
  "${compiler[@]: -1}" "${flags[@]}" -x c++-header "$work/standard.hpp" -o "$work/standard.hpp.gch"
}

compile() { # compile TREE SOURCE OBJECT
  (cd "$1" && "${compiler[@]}" "${flags[@]}" -include "$work/standard.hpp" -I. -c "$2" -o "$3")
}

object_of() { local name=${1%.cpp}; echo "${name//\//_}.o"; }

# Of the program alone: one, or a unit of all.
main_objects=()
if [ -n "$build" ]; then
  mapfile -t main_objects < <(find "$build/tests/sim/CMakeFiles/warmpool-sim.dir" -name '*.o')
fi

# link OBJECT... PROGRAM: a mutant's objects come first, so its source in the library is not taken.
link() {
  if [ -n "$build" ]; then
    "${compiler[@]: -1}" "${@:1:$#-1}" "${main_objects[@]}" \
      -Wl,--start-group "$build"/lib/libwarmpool_{sim,pool}.a -Wl,--end-group -o "${!#}"
  else
    "${compiler[@]: -1}" "${@:1:$#-1}" -o "${!#}"
  fi
}

build_base() {
  if [ -n "$build" ]; then
    cp "$build/bin/warmpool-sim" "$work/base/sim"
    return
  fi
  local sources source
  sources=$(cd "$work/base" && find pool tests/sim -name '*.cpp' ! -name '*_test.cpp' | sort)
  for source in $sources; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    compile "$work/base" "$source" "$work/base/objects/$(object_of "$source")" &
  done
  while [ -n "$(jobs -rp)" ]; do wait -n; done
  link "$work"/base/objects/*.o "$work/base/sim"
}

row() { printf '%-22s %-22s %10s %10s %7s\n' "$@"; }

# search TREE PATCH: what the simulator says of the mutant in TREE.
search() {
  local from output
  from=$(sed -n '1s/.*\[from seed \([0-9]*\)\]$/\1/p' "$2")
  if [ -n "$from" ]; then
    output=$(timeout 120 "$1/sim" --seed "$from" --seeds 50 2>/dev/null || true)
    if grep -q '^VIOLATION' <<<"$output"; then printf '%s\n' "$output"; return; fi
  fi
  timeout 240 "$1/sim" --steps "$steps" 2>/dev/null || true
}

# Writes one line to rows/NAME; the first word of rows/NAME.state is found, survived or broken.
try_mutant() {
  local name=$1 tree=$work/$1 begun=$SECONDS output rule seeds count
  mkdir -p "$tree/tests"
  cp -r "$root/pool" "$tree/pool"
  local patch=$root/tests/sim/mutants/$name.patch
  if ! (cd "$tree" && git apply --unsafe-paths "$patch") 2>"$tree/why"; then
    row "$name" "DOES NOT APPLY" - - - >"$work/rows/$name"
    echo broken >"$work/rows/$name.state"
    return
  fi
  cp -r "$work/base/objects" "$tree/objects"
  local source
  while read -r source; do
    if ! compile "$tree" "$source" "$tree/objects/$(object_of "$source")" 2>"$tree/why"; then
      row "$name" "DOES NOT COMPILE" - - - >"$work/rows/$name"
      echo broken >"$work/rows/$name.state"
      return
    fi
  done < <(sed -n 's/^+++ b\///p' "$patch")
  link "$tree"/objects/*.o "$tree/sim"
  output=$(search "$tree" "$patch")
  rule=$(sed -n 's/^VIOLATION rule=\([^ ]*\).*/\1/p' <<<"$output" | tail -1)
  seeds=$(sed -n 's/^VIOLATION .*seed=\([0-9]*\).*/\1/p' <<<"$output" | tail -1)
  count=$(sed -n 's/^found after .*, \([0-9]*\) steps/\1/p' <<<"$output" | tail -1)
  if [ -n "$rule" ]; then
    row "$name" "$rule" "$seeds" "${count:--}" "$((SECONDS - begun))" >"$work/rows/$name"
    echo found >"$work/rows/$name.state"
  else
    row "$name" "SURVIVED" - "$steps" "$((SECONDS - begun))" >"$work/rows/$name"
    echo survived >"$work/rows/$name.state"
  fi
  rm -rf "$tree"
}

begun=$SECONDS
precompile_standard
build_base
if ! "$work/base/sim" --steps 300000 >"$work/base/output" 2>&1; then
  tail -5 "$work/base/output"
  echo "the core itself breaks a rule: repair that first, a mutant cannot be told from it" >&2
  exit 1
fi

if [ $# -gt 0 ]; then names=("$@"); else
  names=()
  for patch in "$root"/tests/sim/mutants/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi
for name in "${names[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
  try_mutant "$name" &
done
while [ -n "$(jobs -rp)" ]; do wait -n || true; done

row mutant "found by rule" seeds steps seconds
for name in "${names[@]}"; do cat "$work/rows/$name"; done
found=$(cat "$work"/rows/*.state | grep -c '^found' || true)
echo "$found of ${#names[@]} mutants found in $((SECONDS - begun)) s"
[ "$found" -eq "${#names[@]}" ]
