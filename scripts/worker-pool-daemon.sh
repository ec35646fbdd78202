#!/usr/bin/env bash
# Runs warmpoold in the background, with the environment and the exit statuses of an init script.
#   scripts/worker-pool-daemon.sh start|restart [OPTION OF warmpoold...]
#   scripts/worker-pool-daemon.sh stop|status
# See docs/daemon.md, "In the background". Whether a daemon runs is told by its lock and its socket, never by a
# number in a file: the kernel says who holds the one, and the other answers.
set -euo pipefail
# shellcheck disable=SC2034 # LC_ALL is for the programs called: texts that are searched
export LC_ALL=C.UTF-8

usage() {
  cat <<'TEXT'
usage: scripts/worker-pool-daemon.sh start|restart [OPTION OF warmpoold...]
       scripts/worker-pool-daemon.sh stop|status

Environment: all that warmpoold takes (POOL_SIZE, FIFO_DIR, HEARTBEAT_INTERVAL, ..., WARMPOOL_<OPTION>), and
  WARMPOOL_RUNTIME_DIR  directory of socket, lock and warmpool.log
  WARMPOOL_BIN_DIR      where warmpoold and warmpool are; else build/release/bin, else PATH
  START_TIMEOUT         seconds until the workers must be ready [60]
  STOP_TIMEOUT          seconds until a graceful stop becomes one at once [drain_timeout + 5]

Exit status of status: 0 running, 1 dead and its socket is left, 3 not running, 4 cannot be told.
Of the others: 0 done, 1 failed, 2 wrong usage, 4 not allowed, 5 not installed, 6 wrong configuration.
TEXT
}

say() { printf 'worker-pool-daemon: %s\n' "$*"; }
warn() { say "$@" >&2; }
fail() { local status=$1; shift; warn "$@"; exit "$status"; }
is_number() { [[ $1 =~ ^[0-9]{1,6}$ ]]; }

action=${1-}
case "$action" in
  start | restart) shift ;;
  stop | status) shift; [ $# -eq 0 ] || { usage >&2; exit 2; } ;;
  -h | --help | help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac
for word in "$@"; do
  case "${word//_/-}" in
    --runtime-dir*) fail 2 "give the directory as WARMPOOL_RUNTIME_DIR=DIR, so that stop and status know it too" ;;
    --check-config | --version | --help | -h) fail 2 "$word starts no daemon; call warmpoold $word" ;;
  esac
done
start_seconds=${START_TIMEOUT:-60}
is_number "$start_seconds" || fail 2 "START_TIMEOUT=$start_seconds: give whole seconds"
[ -z "${STOP_TIMEOUT-}" ] || is_number "$STOP_TIMEOUT" || fail 2 "STOP_TIMEOUT=$STOP_TIMEOUT: give whole seconds"

# --- Where things are -------------------------------------------------------------------------------------

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
find_program() {
  local directory
  for directory in "${WARMPOOL_BIN_DIR-}" "$here/build/release/bin"; do
    if [ -n "$directory" ] && [ -x "$directory/$1" ]; then printf '%s\n' "$directory/$1"; return; fi
  done
  command -v "$1" || fail 5 "$1 is neither in $here/build/release/bin nor in PATH; build it: scripts/quickstart.sh"
}
warmpoold=$(find_program warmpoold)
warmpool=$(find_program warmpool)

# As warmpoold chooses it.
runtime=${WARMPOOL_RUNTIME_DIR-}
if [ -z "$runtime" ]; then
  if [ -n "${XDG_RUNTIME_DIR-}" ]; then runtime=$XDG_RUNTIME_DIR/warmpool
  elif [ "$(id -u)" -eq 0 ]; then runtime=/run/warmpool
  else runtime=/tmp/warmpool-$(id -u); fi
fi
case "$runtime" in /*) ;; *) runtime=$PWD/$runtime ;; esac
socket=$runtime/warmpool.sock
lock=$runtime/warmpool.lock
log=$runtime/warmpool.log

ask() { "$warmpool" --socket "$socket" "$@"; }
answers() { [ -S "$socket" ] && ask ping >/dev/null 2>&1; }
# The fewest workers of each class are ready.
is_ready() { [ -S "$socket" ] && ask status --json 2>/dev/null | grep -q '"initialized":true'; }

# The process that holds the lock; nothing if there is none, or if only another user could see it.
holder() {
  local pid fd inode
  inode=$(stat -c %i "$lock" 2>/dev/null) || return 0
  for pid in $(tr -cd '0-9\n' <"$lock" 2>/dev/null | head -n 1) \
             $(sed -n "s/^.* FLOCK .* \([0-9]*\) [0-9a-f:]*:$inode .*/\1/p" /proc/locks 2>/dev/null); do
    for fd in "/proc/$pid/fd"/*; do
      if [ "$fd" -ef "$lock" ] && grep -q '^lock:.*FLOCK.*WRITE' "/proc/$pid/fdinfo/${fd##*/}" 2>/dev/null; then
        printf '%s\n' "$pid"
        return
      fi
    done
  done
}

# One of: running PID, silent PID (it holds the lock and does not answer), dead (its socket is left), stopped,
# hidden (the directory cannot be looked into).
look() {
  local pid
  if [ -e "$runtime" ] && ! { [ -r "$runtime" ] && [ -x "$runtime" ]; }; then echo hidden; return; fi
  if answers; then
    pid=$(holder)
    echo "running ${pid:-unknown}"
    return
  fi
  pid=$(holder)
  if [ -n "$pid" ]; then echo "silent $pid"
  elif [ -e "$socket" ]; then echo dead
  else echo stopped; fi
}

status() {
  local state pid
  read -r state pid <<<"$(look)"
  case "$state" in
    running) say "running: process $pid, socket $socket"; return 0 ;;
    dead) say "not running: it was killed and left $socket"; return 1 ;;
    stopped) say "not running: nobody serves $runtime"; return 3 ;;
    silent) say "process $pid serves $runtime and does not answer: it starts, hangs or is stopped"; return 4 ;;
    *) say "cannot look into $runtime: it belongs to another user"; return 4 ;;
  esac
}

# --- Start ------------------------------------------------------------------------------------------------

is_there() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

# What was written to the log since it had so many bytes.
show_log() {
  [ -s "$log" ] || return 0
  warn "the last lines of $log:"
  tail -c "+$(($1 + 1))" "$log" | tail -n 20 >&2
}

meaning_of() { "$warmpoold" --help | sed -n "s/^ *$1  *\([a-z].*\)/: \1/p" | tail -n 1; }

make_directories() {
  # The directory itself as the daemon would make it; not its parents.
  # Another start may make it at the same moment.
  if ! [ -d "$runtime" ]; then mkdir -m 0700 "$runtime" || [ -d "$runtime" ] || fail 1 "cannot make $runtime; give another as WARMPOOL_RUNTIME_DIR"; fi
  [ -w "$runtime" ] || fail 4 "$runtime cannot be written; give another as WARMPOOL_RUNTIME_DIR"
  if [ -n "${FIFO_DIR-}" ] && ! [ -d "$FIFO_DIR" ]; then
    mkdir -m 0700 "$FIFO_DIR" || [ -d "$FIFO_DIR" ] || fail 1 "cannot make FIFO_DIR=$FIFO_DIR"
  fi
}

# Ends what was started and did not come up, so that a failed start leaves nothing. What a shell has put into the
# background ignores QUIT until it has set its signals up; TERM ends it before that.
take_back() {
  kill -TERM "$1" 2>/dev/null || true
  kill -QUIT "$1" 2>/dev/null || true
  await_end "$1" 10 || kill -KILL "$1" 2>/dev/null || true
  if await_end "$1" 10 && [ -z "$(holder)" ] && ! answers; then rm -f "$socket"; fi
}

# await_answer <pid>: true when it answers or is gone. What another start began a moment ago does so soon; what a
# signal has stopped never will.
await_answer() {
  local until_second=$((SECONDS + start_seconds))
  while is_there "$1" && ! answers; do
    if [ "$SECONDS" -ge "$until_second" ] || grep -q '^State:[[:space:]]*[Tt]' "/proc/$1/status"; then return 1; fi
    sleep 0.1
  done
}

start() {
  local state pid bytes=0 until_second code=0
  read -r state pid <<<"$(look)"
  if [ "$state" = silent ] && await_answer "$pid"; then read -r state pid <<<"$(look)"; fi
  case "$state" in
    running) say "runs already: process $pid"; return 0 ;;
    hidden) fail 4 "cannot look into $runtime: it belongs to another user" ;;
    silent) fail 1 "process $pid serves $runtime and does not answer; end it: $0 stop" ;;
  esac
  make_directories
  if [ -e "$log" ]; then bytes=$(stat -c %s "$log"); fi
  # A session of its own: what ends this terminal is not for the daemon.
  setsid "$warmpoold" --runtime-dir "$runtime" "$@" </dev/null >>"$log" 2>&1 &
  pid=$!
  until_second=$((SECONDS + start_seconds))
  # Ready may be that of a start a moment earlier; then this one is about to end with 75.
  until is_ready && [[ $(holder) =~ ^($pid)?$ ]]; do
    if ! kill -0 "$pid" 2>/dev/null; then
      wait "$pid" || code=$?
      # Somebody else was a moment faster.
      if [ "$code" -eq 75 ] && await_answer "$(holder)" && answers; then say "runs already: process $(holder)"; return 0; fi
      show_log "$bytes"
      if [ "$code" -eq 78 ]; then fail 6 "warmpoold ended with 78: the configuration is wrong"; fi
      fail 1 "warmpoold ended with $code$(meaning_of "$code")"
    fi
    if [ "$SECONDS" -ge "$until_second" ]; then
      if answers; then ask workers >&2 || true; fi
      show_log "$bytes"
      take_back "$pid"
      fail 1 "the workers were not ready within $start_seconds s (START_TIMEOUT); warmpoold was ended"
    fi
    sleep 0.1
  done
  say "started: process $pid, socket $socket, log $log"
}

# --- Stop -------------------------------------------------------------------------------------------------

# await_end <pid> <seconds>: true when it has ended by then.
await_end() {
  local until_second=$((SECONDS + $2))
  while is_there "$1"; do
    [ "$SECONDS" -lt "$until_second" ] || return 1
    sleep 0.1
  done
}

# How long the daemon lets running tasks go on, and a little more.
patience() {
  local drain
  if [ -n "${STOP_TIMEOUT-}" ]; then echo "${STOP_TIMEOUT}s"; return; fi
  drain=$(ask config show --json 2>/dev/null | grep -o '"name":"drain_timeout","value":"[^"]*"' | cut -d '"' -f 8) || true
  echo "${drain:-30s}5s"
}

# The daemon's own last word: what it left. It is in another file if log_file says so.
last_word() { tail -n 50 "$log" 2>/dev/null | grep -o 'stopped; .*' | tail -n 1 | sed 's/^stopped//' || true; }

# kill_holder <pid>: only while it still holds the lock, so that a number used again hits nobody.
kill_holder() {
  if [ "$(holder)" = "$1" ]; then kill -KILL "$1" 2>/dev/null || true; fi
  await_end "$1" 10 || fail 1 "process $1 cannot be killed"
}

stop_running() {
  local pid=$1 begun=$SECONDS how=gracefully
  if ! ask stop --timeout "$(patience)"; then
    how="at once, since it had not ended in time"
    ask stop --now --timeout 10s || true
  fi
  if [ "$pid" = unknown ]; then
    if answers; then fail 1 "it does not stop; end it by hand"; fi
  elif ! await_end "$pid" 10; then
    how="with SIGKILL, since it did not end otherwise"
    kill_holder "$pid"
  fi
  say "stopped $how after $((SECONDS - begun)) s$(last_word)"
}

# It does not answer: starting, hanging, or stopped by a signal.
stop_silent() {
  local pid=$1 how="with SIGTERM"
  kill -TERM "$pid" 2>/dev/null || fail 4 "process $pid is not ours to end"
  if ! await_end "$pid" "${STOP_TIMEOUT:-35}"; then
    how="with SIGKILL, since it did not heed SIGTERM"
    kill_holder "$pid"
  fi
  if [ -z "$(holder)" ] && ! answers; then rm -f "$socket"; fi
  say "process $pid, which did not answer, was ended $how"
}

stop() {
  local state pid
  read -r state pid <<<"$(look)"
  case "$state" in
    running) stop_running "$pid" ;;
    silent) stop_silent "$pid" ;;
    dead) rm -f "$socket"; say "was not running; removed the socket that it had left" ;;
    stopped) say "was not running" ;;
    *) fail 4 "cannot look into $runtime: it belongs to another user" ;;
  esac
}

case "$action" in
  start) start "$@" ;;
  stop) stop ;;
  restart) stop; start "$@" ;;
  status) status ;;
esac
