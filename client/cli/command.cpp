#include "client/cli/command.hpp"

namespace warmpool::cli {

namespace {

constexpr std::string_view kTasks = "Tasks", kDead = "Dead letters", kPool = "The pool",
                           kOther = "Other";

constexpr CommandRow kRows[] = {
    {"submit", kTasks, "submit one task",
     "The payload is text, '-' for standard input, or a file. Prints \"accepted ID\"; with --wait\n"
     "the result instead, and the status is 0 only if the task is done.\n"
     "  warmpool submit echo hello --wait\n"
     "  warmpool submit file.digest /etc/passwd --priority P0 --timeout 5s --print-id",
     declare_submit},
    {"map", kTasks, "one task for each line of input, results as JSON lines",
     "A line of the output is {\"line\":N,\"id\":ID,\"input\":LINE,\"verdict\":V,\"result\":R}, "
     "with\n"
     "\"error\" and \"cause\" instead of \"result\" where the verdict is not done. Empty lines "
     "are\n"
     "skipped; a line is taken as it is up to its line feed. Status 1 if any failed. Ctrl-C "
     "cancels\n"
     "what is in flight and says what was left; a second one ends at once. A daemon that restarts\n"
     "is found again, and no line runs for two results.\n"
     "  find /usr/share/doc -type f | warmpool map file.digest > digests.jsonl",
     declare_map},
    {"run", kTasks, "run a command as a task and end with its status",
     "Standard input is passed on unless it is a terminal; output is bounded by the daemon's\n"
     "result_bytes_max. Not tried again unless --retries says so. Ends with the command's status,\n"
     "128 + N if signal N killed it (137: killed), 124 if it ran out of time, 127 if it was not "
     "found\n"
     "and 126 if it cannot be run.\n"
     "  warmpool run --timeout 1m -- make test",
     declare_run},
    {"wait", kTasks, "wait until tasks have settled",
     "Status 0 only if all are done, 124 if the time ran out first.\n"
     "  warmpool wait $(warmpool submit sleep 500 --print-id) --timeout 10s",
     declare_wait},
    {"result", kTasks, "print the result of a settled task",
     "The bytes as the handler gave them; a line feed is added on a terminal. With --json a\n"
     "document with content and verdict.",
     declare_result},
    {"show", kTasks, "show one task with its attempts", "", declare_show},
    {"why", kTasks, "why a task waits, and what would change it", "  warmpool why 4711",
     declare_why},
    {"ls", kTasks, "list tasks, settled ones as long as they are remembered",
     "States: recording, ready, delayed, blocked, held, running, done, dead, cancelled, expired,\n"
     "skipped.",
     declare_ls},
    {"cancel", kTasks, "cancel tasks, waiting or running",
     "Returns when the cancel has taken effect. Status 1 if one could not be cancelled.",
     declare_cancel},
    {"release", kTasks, "let a task run again that its handler held for a person", "",
     declare_release},
    {"dlq ls", kDead, "list dead letters", "", declare_dlq_ls},
    {"dlq show", kDead, "show one dead letter with its attempts", "", declare_dlq_show},
    {"dlq retry", kDead, "give dead letters a new round",
     "Many at once come at the daemon's dead_retry_rate a second; the command waits for the last.\n"
     "Status 1 if one was refused; the first of those are named.\n"
     "With another payload it stays the same task, with its id, its history and its key, which "
     "goes\n"
     "on standing for what was submitted first.\n"
     "One whose payload the daemon has lost is refused without another one.\n"
     "  warmpool dlq retry --all --type file.digest --cause crashed --older 1h\n"
     "  warmpool dlq retry 4711 --payload '{\"path\":\"/right\"}'",
     declare_dlq_retry},
    {"dlq rm", kDead, "remove dead letters for good", "  warmpool dlq rm --all --older 30d",
     declare_dlq_rm},
    {"dlq export", kDead, "print dead letters whole, as JSON lines",
     "With payloads up to 8 MiB and all attempts; they stay where they are. Those whose payload "
     "is\n"
     "larger, or lost, are named, and the status is 1.\n"
     "  warmpool dlq export --type file.digest > letters.jsonl",
     declare_dlq_export},
    {"dlq import", kDead, "submit exported dead letters as tasks",
     "Takes lines of dlq export, and the daemon's archive (dead-letters.jsonl). A line that was\n"
     "imported before makes no second task (known), as long as its key is remembered. Lines that\n"
     "are refused are named; the others go on, and the status is 1. A line may be as long as a\n"
     "payload of large_bytes_max makes it; it is held in memory.\n"
     "  warmpool dlq import letters.jsonl",
     declare_dlq_import},
    {"status", kPool, "counters, figures, classes and health",
     "With --board status 69 if the daemon that wrote the figures is gone; they are shown all the "
     "same.",
     declare_status},
    {"workers", kPool, "one line for each worker slot",
     "With --board status 69 if the daemon that wrote the figures is gone; they are shown all the "
     "same.",
     declare_workers},
    {"worker", kPool, "one slot with its last output", "  warmpool worker worker-0",
     declare_worker},
    {"check", kPool, "end by the health of one slot",
     "Status 0 if it is healthy or degraded, 1 if it is unhealthy or there is no such slot, 69 "
     "without a daemon.\n"
     "  warmpool check worker-0 || warmpool restart worker-0",
     declare_check},
    {"log", kPool, "the last output of a task or of a worker",
     "The last 1,024 lines of each worker are kept, as far as worker_output_bytes_max allows; of a "
     "task\n"
     "that failed its own last lines too. Lines belong to the task that ran when they were "
     "written: "
     "exactly\n"
     "so where a worker has one task in hand, as workers in C++, plug-ins and wrapped programs "
     "have "
     "unless\n"
     "told otherwise; to the older one where it had several, to all that ran where several run at "
     "once\n"
     "(concurrency). Workers in Python and Node tell them apart in all cases, but not what their "
     "children\n"
     "print. -f says which lines it missed, and ends with 69 when the "
     "daemon "
     "does.\n"
     "  warmpool log 4711 -n 5\n  warmpool log 4711 -f\n  warmpool log --slot worker-0 -f",
     declare_log},
    {"autopsy", kPool, "why a worker or an attempt ended badly, and what it looked like before",
     "Of a task the last four attempts that failed, or ended by their worker's end, their timeout "
     "or a\n"
     "hang; of a slot the last 16 processes that ended unasked, as long as the daemon lives. Each "
     "begins\n"
     "with the cause and what to do; then the state, threads and open descriptors of the process "
     "as "
     "they\n"
     "were before it was told to end (of one that died by itself, or whose handler failed, there "
     "is "
     "only\n"
     "what it cost), and its last output. Status 1 if nothing is kept.\n"
     "  warmpool autopsy 4711\n  warmpool autopsy worker-0",
     declare_autopsy},
    {"heartbeat", kPool, "speak for a worker whose program has no protocol",
     "Counts as a sign of life, and warmpool worker shows what it says. Only the daemon's user, "
     "root\n"
     "and the user of the worker may. A process that warmpool started has WORKER_ID.\n"
     "  warmpool heartbeat \"$WORKER_ID\" compressing",
     declare_heartbeat},
    {"types", kPool, "known task types and the classes that serve them", "", declare_types},
    {"events", kPool, "what happened and happens in the pool, as JSON lines",
     "Without -f those that the daemon remembers (events_max). Each line has a number that rises, "
     "also\n"
     "over restarts, a time and the event's name; the names and their fields are in "
     "docs/protocol.md,\n"
     "section 11. An event \"gap\" tells how many are missing. task-submitted, -started, -progress "
     "and\n"
     "-completed are made only while somebody follows them. With -f it ends with 69 when the "
     "daemon\n"
     "stops; one that died may come back within 30 s.\n"
     "  warmpool events -f --type worker-*,zombie-detected",
     declare_events},
    {"scale", kPool, "change the number of workers of a class",
     "N sets it, +N adds, -N removes. Busy workers finish first.\n"
     "  warmpool scale 8\n  warmpool scale -2 --class default",
     declare_scale},
    {"restart", kPool, "replace workers while they work, successors first",
     "Each successor is ready before its predecessor is asked to end, which finishes what it has; "
     "at\n"
     "most recycle_share of a class are replaced at once. A slot that waits for its next start is\n"
     "started now. Returns when all are replaced and gone, with 124 if the time ran out first.\n"
     "  warmpool restart worker-3\n  warmpool restart --all --timeout 10m",
     declare_restart},
    {"pause", kPool, "start no more tasks: of a type, on a class, or any",
     "What runs goes on, and tasks are taken as ever; they wait. A paused pool starts nothing, "
     "types\n"
     "that are seen later included. Prints what is paused.\n"
     "  warmpool pause file.digest\n  warmpool pause --class thumbs",
     declare_pause},
    {"resume", kPool, "undo pause",
     "Lifts the one pause that is named; without any, that of the whole pool. Types and classes "
     "that\n"
     "were paused by name stay so until they are resumed by name, or with --all.",
     declare_resume},
    {"breaker ls", kPool, "circuit breakers of task types, and what they wait for",
     "A type that has one is started no more while it fails too often; its tasks wait. States: "
     "closed,\n"
     "open, half-open. at_once: how many of its tasks may run at once; none: any number.",
     declare_breaker_ls},
    {"breaker open", kPool, "start no more tasks of a type for a while, then let a few try",
     "Its tasks wait and are charged nothing. To stop a type until you say otherwise, also over a "
     "restart\n"
     "of the daemon: warmpool pause TYPE.\n"
     "  warmpool breaker open http.fetch --for 10m",
     declare_breaker_open},
    {"breaker close", kPool, "let all tasks of a type run again at once", "",
     declare_breaker_close},
    {"ping", kPool, "one round trip to the daemon", "", declare_ping},
    {"drain", kPool, "take nothing new and wait until nothing is left",
     "The daemon goes on taking nothing until drain --undo, also when this command is interrupted.",
     declare_drain},
    {"stop", kPool, "stop the daemon and wait until it is gone",
     "Running tasks get drain_timeout to finish; with --now none.", declare_stop},
    {"alerts ls", kPool, "what is wrong with the pool, the most urgent first",
     "What can be an alert, and whom they are told to: docs/daemon.md.", declare_alerts_ls},
    {"alerts ack", kPool, "say that an alert is known: it is not told again",
     "It stays until its cause is gone.\n  warmpool alerts ack slow worker-3", declare_alerts_ack},
    {"clean", kPool, "remove what has settled, with results and histories",
     "By itself the daemon does so after results_age_max. Without --state dead letters stay.\n"
     "  warmpool clean --older 7d\n  warmpool clean --older 30d --state dead",
     declare_clean},
    {"backup", kPool, "copy the store into a file while the daemon works",
     "All that was acknowledged before. The daemon makes the file, with mode 0600. Payloads and\n"
     "results over 16 MiB are in FILE.bodies, a directory that belongs to it. Put it back, while "
     "no\n"
     "daemon runs, with: warmpoold --restore FILE. Status 1 if some could not be read; their "
     "tasks\n"
     "are named.\n"
     "  warmpool backup /var/backups/warmpool-$(date +%F).db",
     declare_backup},
    {"config show", kPool, "every option and its value", "", declare_config_show},
    {"config check", kPool, "check a configuration file",
     "Runs warmpoold --check-config, found beside this program or in PATH, and ends with its\n"
     "status: 78 if the configuration is wrong.",
     declare_config_check},
    {"bench throughput", kOther, "how many tasks a second the pool runs",
     "  warmpool bench throughput --tasks 100000 --in-flight 64", declare_bench_throughput},
    {"bench latency", kOther, "how long one task takes from submit to result", "",
     declare_bench_latency},
    {"bench reuse", kOther, "what warm workers are worth beside a process for each task",
     "Starts a daemon of its own whose workers may hold 16 short tasks (K = 16) and which keeps "
     "nothing\n"
     "on disk, as a process for each task keeps nothing, and measures 64 tasks\n"
     "outstanding against the same work with as many processes at once as there are workers: a "
     "native\n"
     "handler (echo beside /bin/echo), and a handler in Python beside a python3 for each task. "
     "With\n"
     "--socket only the native one, on that daemon. Memory is the peak of daemon and workers "
     "beside that\n"
     "of a process for each outstanding task. Status 1 if a task failed or a zombie was left.\n"
     "  warmpool bench reuse --tasks 20000 --json",
     declare_bench_reuse},
    {"bench durable", kOther, "what durable costs, beside servers that also sync",
     "Starts a daemon of its own with two workers (K = 16) and measures, with one client: tasks of "
     "64 bytes\n"
     "accepted a second, their type paused, with 1, 64 and 1,000 outstanding; and the full cycle "
     "of "
     "accept,\n"
     "run, settle, result with 64. Beside it, where they are installed, Redis (a list, appendfsync "
     "always)\n"
     "and beanstalkd (-f0), on the same directory, in turns; times_NAME is the median of the "
     "ratios "
     "within\n"
     "rounds. p50_in_syncs: the time of one acceptance in fdatasyncs of 4 KiB on that directory.\n"
     "  sudo apt-get install redis-server beanstalkd\n"
     "  warmpool bench durable --directory /var/tmp --json",
     declare_bench_durable},
    {"completions", kOther, "what makes a shell complete commands and options",
     "  warmpool completions bash > ~/.local/share/bash-completion/completions/warmpool\n"
     "  warmpool completions zsh > \"${fpath[1]}/_warmpool\"\n"
     "  warmpool completions fish > ~/.config/fish/completions/warmpool.fish",
     declare_completions},
    {"help", kOther, "help for a command", "", declare_help},
    {"version", kOther, "the version of this program", "", declare_version},
};

}  // namespace

std::span<const CommandRow> command_rows() { return kRows; }

}  // namespace warmpool::cli
