#!/usr/bin/env bash
# From a fresh clone to a warm pool that digests real files: sets up, builds, starts a daemon of its own, runs
# the job, checks every result against sha256sum and wc, and stops the daemon. Leaves nothing behind but build/.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
[ $# -eq 0 ] || { printf 'usage: scripts/quickstart.sh\n' >&2; exit 2; }

workers=4
files_min=5000
files_max=20000
tasks_small=1000
stop_seconds_max=40 # the drain deadline of the daemon is 30 s

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
fail() { printf '\nquickstart: %s\n' "$*" >&2; exit 1; }
seconds_since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.3f", to - from }'; }

runtime='' scratch='' daemon=''
cleanup() {
  local status=$?
  trap - EXIT
  # A background job of a script ignores Ctrl-C, so it is told here; a second TERM means "at once".
  if [ -n "$daemon" ] && kill -TERM "$daemon" 2>/dev/null; then
    sleep 0.2
    kill -TERM "$daemon" 2>/dev/null || true
    await_daemon 10 || kill -KILL "$daemon" 2>/dev/null || true
  fi
  if [ "$status" -ne 0 ] && [ -s "$scratch/daemon.log" ]; then
    printf '\nThe last words of the daemon:\n' >&2
    tail -n 20 "$scratch/daemon.log" >&2
  fi
  if [ -n "$runtime" ]; then rm -rf "$runtime"; fi
  if [ -n "$scratch" ]; then rm -rf "$scratch"; fi
  exit "$status"
}

alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }
# await_daemon <seconds>: true when the daemon has ended by then.
await_daemon() {
  local until=$((SECONDS + $1))
  while alive "$daemon"; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.05
  done
}

# --- Set up and build -------------------------------------------------------------------------------------

step "Set up and build"
scripts/setup.sh
require_writable_build
log=build/logs/quickstart-build.log
say "building the release (the first time takes minutes) ..."
begun=$EPOCHREALTIME
{ cmake --preset release &&
  cmake --build --preset release --parallel "$jobs" \
    --target warmpoold warmpool warmpool-worker warmpool-launch; } >"$log" 2>&1 ||
  { tail -n 40 "$log" >&2; fail "the build failed; all it said is in $PWD/$log"; }
bin="$PWD/build/release/bin"
say "built in $(seconds_since "$begun") s: $bin"

# --- Start ------------------------------------------------------------------------------------------------

trap cleanup EXIT
# Ended by a signal means not done: the handler of EXIT above sees a status other than 0.
trap 'exit 130' INT
trap 'exit 143' TERM HUP
base=${XDG_RUNTIME_DIR:-/tmp}
# After su the variable can name the directory of another user.
if ! [ -d "$base" ] || ! [ -w "$base" ]; then base=/tmp; fi
runtime=$(mktemp -d "$base/warmpool-quickstart.XXXXXX")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/warmpool-scratch.XXXXXX")
warmpool() { "$bin/warmpool" --socket "$runtime/warmpool.sock" "$@"; }

step "Start a pool of $workers workers"
"$bin/warmpoold" --runtime-dir "$runtime" --workers "$workers" >"$scratch/daemon.log" 2>&1 </dev/null &
daemon=$!
until_second=$((SECONDS + 20))
until warmpool ping >/dev/null 2>&1; do
  alive "$daemon" || { wait "$daemon" && code=0 || code=$?; daemon=''; fail "the daemon ended at its start with status $code"; }
  [ "$SECONDS" -lt "$until_second" ] || fail "the daemon did not answer within 20 s"
  sleep 0.05
done
say "the daemon is process $daemon; its socket is $runtime/warmpool.sock"

# --- The job ----------------------------------------------------------------------------------------------

# Names are given one per line and come back in JSON: no newline in them, and valid UTF-8 (all of grep's ".*").
find_files() {
  find "$@" -type f -readable -size -16M ! -path $'*\n*' -print 2>/dev/null | grep -ax '.*' | sort -u | sed -n "1,${files_max}p"
}
find_files /usr/share >"$scratch/files" || true
where=/usr/share
if [ "$(wc -l <"$scratch/files")" -lt "$files_min" ]; then
  # Small images leave out documentation; the headers that the build needs are real files as well.
  find_files /usr/share /usr/include >"$scratch/files" || true
  where="/usr/share and /usr/include"
fi
files=$(wc -l <"$scratch/files")
[ "$files" -ge "$files_min" ] || fail "only $files readable files in $where, $files_min are needed"

step "Digest $files files of $where"
say "\$ warmpool map file.digest --input FILES --progress auto --json"
begun=$EPOCHREALTIME
warmpool map file.digest --input "$scratch/files" --progress auto --json >"$scratch/results" ||
  fail "map ended with status $?"
took=$(seconds_since "$begun")
say "$(awk -v n="$files" -v s="$took" 'BEGIN { printf "%d files in %.2f s: %.0f files/s", n, s, n / s }')"
say "the first results:"
head -n 3 "$scratch/results" | cut -c 1-200

step "Check every result against sha256sum and wc"
# LC_ALL=C: there, wc takes bytes for characters. One process at a time, or their lines would mix.
tr '\n' '\0' <"$scratch/files" | LC_ALL=C xargs -0 -n 500 sha256sum -z -- | tr '\0' '\n' >"$scratch/sums"
tr '\n' '\0' <"$scratch/files" | LC_ALL=C xargs -0 -n 500 wc -lwc -- >"$scratch/counts"
"$python" - "$scratch" <<'PYTHON' || fail "results differ from sha256sum and wc, or are missing"
import json, re, sys

scratch = sys.argv[1]
read = lambda name: open(f"{scratch}/{name}", encoding="utf-8", newline="\n").read().split("\n")[:-1]

expected = {}
for line in read("sums"):
    expected[line[66:]] = {"sha256": line[:64]}
for line in read("counts"):
    counted = re.fullmatch(r" *(\d+) +(\d+) +(\d+) (/.*)", line)
    if counted:  # and not the total of a run of wc
        lines, words, size = map(int, counted.groups()[:3])
        expected[counted[4]].update(lines=lines, words=words, bytes=size)

def digest_in(value):
    """The object with the digest, wherever the line of output has it."""
    if isinstance(value, dict):
        if "sha256" in value:
            return value
        value = list(value.values())
    if isinstance(value, list):
        return next((found for found in map(digest_in, value) if found), None)
    return None

seen, wrong = set(), []
for number, line in enumerate(read("results"), 1):
    outer = json.loads(line)
    digest = digest_in(outer)
    path = digest and (digest.get("path") or outer.get("input") or outer.get("payload"))
    if not path:
        wrong.append(f"line {number} has no digest with a path: {line[:200]}")
    elif path in seen:
        wrong.append(f"{path}: two results")
    elif path not in expected:
        wrong.append(f"{path}: nobody asked for it")
    else:
        got = {key: digest.get(key) for key in expected[path]}
        if got != expected[path]:
            wrong.append(f"{path}: got {got}, expected {expected[path]}")
    seen.add(path)
wrong += [f"{path}: no result" for path in expected if path not in seen]
for text in wrong[:10]:
    print(text, file=sys.stderr)
if wrong:
    sys.exit(f"{len(wrong)} of {len(expected)} results are wrong")
size = sum(e["bytes"] for e in expected.values())
print(f"all {len(expected)} are equal: {size / 1e6:.0f} MB, {sum(e['lines'] for e in expected.values())} lines")
PYTHON

# --- What it was worth ------------------------------------------------------------------------------------

step "What a warm pool is worth"
warmpool status --json >"$scratch/status" || fail "status ended with status $?"
"$python" - "$scratch/status" <<'PYTHON' || fail "the reuse rate is missing or below 99 %"
import json, sys

def find(value, *names):
    if isinstance(value, dict):
        for name in names:
            if name in value:
                return value[name]
        value = list(value.values())
    if isinstance(value, list):
        return next((found for found in (find(v, *names) for v in value) if found is not None), None)
    return None

status = json.load(open(sys.argv[1]))
rate = find(status, "worker_reuse_rate", "reuse_rate")
spawned = find(status, "workers_spawned", "spawned")
attempts = find(status, "attempts")
if rate is None:
    sys.exit("warmpool status --json has no reuse rate")
percent = rate * 100 if rate <= 1 else rate
print(f"reuse rate: {percent:.2f} %" + (f" ({spawned} processes spawned" if spawned is not None else " (")
      + (f" for {attempts} attempts)" if attempts is not None else ")"))
sys.exit(percent < 99)
PYTHON

# The same nothing, both ways: a new process for each task, and a task for warm workers.
begun=$EPOCHREALTIME
seq "$tasks_small" | xargs -P "$workers" -n 1 true
cold=$(seconds_since "$begun")
begun=$EPOCHREALTIME
seq "$tasks_small" | warmpool map echo --input - --progress never >"$scratch/echoed" || fail "map echo ended with status $?"
warm=$(seconds_since "$begun")
[ "$(wc -l <"$scratch/echoed")" -eq "$tasks_small" ] || fail "map echo gave $(wc -l <"$scratch/echoed") results for $tasks_small lines"
awk -v n="$tasks_small" -v cold="$cold" -v warm="$warm" 'BEGIN {
  printf "a process per task (xargs -P, true):  %7.3f ms a task\n", cold * 1000 / n
  printf "a warm worker (warmpool map echo):    %7.3f ms a task, %.1f times as fast\n", warm * 1000 / n, cold / warm
  printf "measured here and now, %d tasks each; with a program that takes long to start the gain is larger\n", n
}'

# --- Stop -------------------------------------------------------------------------------------------------

step "Stop"
pids=$(warmpool workers --json | grep -oE '"pid": *[0-9]+' | grep -oE '[0-9]+' || true)
warmpool stop >/dev/null || fail "stop ended with status $?"
await_daemon "$stop_seconds_max" || fail "the daemon did not stop within $stop_seconds_max s"
wait "$daemon" && code=0 || code=$?
daemon=''
[ "$code" -eq 0 ] || fail "the daemon ended with status $code"
for pid in $pids; do
  ! alive "$pid" || fail "worker process $pid is still there"
done
say "the daemon ended with 0, and its workers are gone"

cat <<TEXT

All is well. What to try next:

  export PATH=$bin:\$PATH
  warmpoold --workers 4 &                                         a pool in your own runtime directory
  find /usr/share/doc -type f | warmpool map file.digest          one task per line, results as JSON lines
  warmpool submit sleep 2000 --wait                               one task
  warmpool run -- uname -a                                        any program as a task
  warmpool status                                                 what the pool does
  warmpool workers                                                who does it; kill one and look again
  warmpool stop

The pages are in docs/; warmpool help lists all commands.
TEXT
