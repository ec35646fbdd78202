#!/usr/bin/env bash
# Long runs of faults against real daemons; builds what they need. What each does: scripts/campaign.sh --help
#   scripts/campaign.sh kill|sweep|calls|memory|power|faults|flips|map|workers [--runs N] [--seed S] [--files N] [--kinds A,B] [--out DIR]
#   scripts/campaign.sh workers --report [--runs N]
#   scripts/campaign.sh soak [--minutes N] [--every SECONDS] [--workers N] [--seed S] [--out DIR]
#   scripts/campaign.sh watching [--minutes N] [--workers N] [--out DIR]
#   scripts/campaign.sh output [--tasks N] [--seed S]
# The report is printed, and is written to DIR (build/campaign), but that of output: N [100000] Python tasks that print at random, each
# line held against the log (sdk/python/tests/test_output.py).
set -euo pipefail
caller=$PWD
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

targets=(warmpool-campaign)
if [ "${1-}" = output ]; then targets=(warmpoold warmpool-launch); fi

# The arguments after `output`.
random_output() {
  export WARMPOOL_OUTPUT_TASKS=100000 WARMPOOL_OUTPUT_SEED=0 WARMPOOL_BIN_DIR=$PWD/build/release/bin
  while [ $# -ge 2 ]; do
    case "$1" in
      --tasks) WARMPOOL_OUTPUT_TASKS=$2 ;;
      --seed) WARMPOOL_OUTPUT_SEED=$2 ;;
      *) break ;;
    esac
    shift 2
  done
  [ $# -eq 0 ] || { printf 'usage: scripts/campaign.sh output [--tasks N] [--seed S]\n' >&2; exit 2; }
  cd sdk/python
  exec /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider tests/test_output.py -k "neighbours or told_apart"
}

require_writable_build
log=build/logs/campaign-build.log
if ! { cmake --preset release && cmake --build --preset release --parallel "$jobs" --target "${targets[@]}"; } >"$log" 2>&1; then
  tail -n 50 "$log" >&2
  printf 'campaign: the build failed; all it said is in %s\n' "$PWD/$log" >&2
  exit 1
fi
if [ "${1-}" = output ]; then
  shift
  random_output "$@"
fi
program=$PWD/build/release/bin/warmpool-campaign
default=$PWD/build/campaign
# A directory is named from where the caller is; the last one given counts.
cd "$caller"
if [ $# -eq 0 ]; then exec "$program"; fi
campaign=$1
shift
exec "$program" "$campaign" --out "$default" "$@"
