#!/usr/bin/env bash
# Long runs of faults against real daemons; builds what they need. What each does: scripts/campaign.sh --help
#   scripts/campaign.sh kill|sweep|memory|power|map|workers [--runs N] [--seed S] [--files N] [--kinds A,B] [--out DIR]
#   scripts/campaign.sh soak [--minutes N] [--seed S] [--out DIR]
# The report is printed, and is written to DIR (build/campaign).
set -euo pipefail
caller=$PWD
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

require_writable_build
log=build/logs/campaign-build.log
if ! { cmake --preset release && cmake --build --preset release --parallel "$jobs" --target warmpool-campaign; } >"$log" 2>&1; then
  tail -n 50 "$log" >&2
  printf 'campaign: the build failed; all it said is in %s\n' "$PWD/$log" >&2
  exit 1
fi
program=$PWD/build/release/bin/warmpool-campaign
default=$PWD/build/campaign
# A directory is named from where the caller is; the last one given counts.
cd "$caller"
if [ $# -eq 0 ]; then exec "$program"; fi
campaign=$1
shift
exec "$program" "$campaign" --out "$default" "$@"
