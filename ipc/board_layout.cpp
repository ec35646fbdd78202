#include "ipc/board_layout.hpp"

namespace warmpool::ipc {
namespace {

constexpr LayoutRow kHeader[] = {
    WARMPOOL_LAYOUT_ROW(BoardHeader, magic, "the bytes `WPBOARD1`"),
    WARMPOOL_LAYOUT_ROW(BoardHeader, version, "of this page: 1"),
    WARMPOOL_LAYOUT_ROW(BoardHeader, header_bytes, "where the first copy begins: 256"),
    WARMPOOL_LAYOUT_ROW(BoardHeader, bytes, "of the file"),
    WARMPOOL_LAYOUT_ROW(BoardHeader, copy_bytes,
                        "of a copy: where the second one begins behind the first"),
    WARMPOOL_LAYOUT_ROW(BoardHeader, classes_max, "rows of classes in a copy"),
    WARMPOOL_LAYOUT_ROW(BoardHeader, slots_max, "rows of slots in a copy"),
    WARMPOOL_LAYOUT_ROW(BoardHeader, pid, "of the daemon, for people"),
    WARMPOOL_LAYOUT_ROW(BoardHeader, started_at, "wall time of its start"),
    WARMPOOL_LAYOUT_ROW(BoardHeader, server, "name and version of it"),
    WARMPOOL_LAYOUT_ROW(BoardHeader, generation,
                        "the copy `generation % 2` is whole; 0: none is yet"),
    WARMPOOL_LAYOUT_ROW(BoardHeader, retired,
                        "0; 1: the daemon has stopped; 2: a larger board has taken its place"),
};

constexpr LayoutRow kPool[] = {
    WARMPOOL_LAYOUT_ROW(BoardPool, generation, "as in the header when this copy became whole"),
    WARMPOOL_LAYOUT_ROW(BoardPool, updated_at, "wall time of this copy"),
    WARMPOOL_LAYOUT_ROW(BoardPool, updated_monotonic, "`CLOCK_MONOTONIC` of it: how old it is"),
    WARMPOOL_LAYOUT_ROW(BoardPool, interval, "time between two copies while something happens"),
    WARMPOOL_LAYOUT_ROW(BoardPool, uptime, "time since the start"),
    WARMPOOL_LAYOUT_ROW(
        BoardPool, flags,
        "1 initialized, 2 draining, 4 stopping, 8 the store takes work, 16 the socket is lost"),
    WARMPOOL_LAYOUT_ROW(BoardPool, classes, "rows of classes that follow"),
    WARMPOOL_LAYOUT_ROW(BoardPool, slots, "rows of slots that follow"),
    WARMPOOL_LAYOUT_ROW(BoardPool, slots_left_out, "slots for which there was no row"),
    WARMPOOL_LAYOUT_ROW(BoardPool, accepted, "rounds, first ones and revived ones"),
    WARMPOOL_LAYOUT_ROW(BoardPool, settled,
                        "rounds by verdict: done, dead, cancelled, expired, skipped"),
    WARMPOOL_LAYOUT_ROW(BoardPool, attempts, "tasks given to workers"),
    WARMPOOL_LAYOUT_ROW(BoardPool, spawns, "workers started"),
    WARMPOOL_LAYOUT_ROW(BoardPool, exits, "workers ended"),
    WARMPOOL_LAYOUT_ROW(BoardPool, failures, "charged"),
    WARMPOOL_LAYOUT_ROW(BoardPool, crashes, "charged"),
    WARMPOOL_LAYOUT_ROW(BoardPool, interruptions, "charged"),
    WARMPOOL_LAYOUT_ROW(BoardPool, suspects, "not charged"),
    WARMPOOL_LAYOUT_ROW(BoardPool, recalls, "not charged"),
    WARMPOOL_LAYOUT_ROW(BoardPool, free_ends, "not charged; suspects and recalls are among them"),
    WARMPOOL_LAYOUT_ROW(BoardPool, refused_submits, ""),
    WARMPOOL_LAYOUT_ROW(BoardPool, refused_results, "answers about attempts that were not current"),
    WARMPOOL_LAYOUT_ROW(BoardPool, duplicates, "submits of a key that was known"),
    WARMPOOL_LAYOUT_ROW(BoardPool, unproductive_deaths, "of workers that had been of no use"),
    WARMPOOL_LAYOUT_ROW(BoardPool, zombies, "workers ended for silence"),
    WARMPOOL_LAYOUT_ROW(BoardPool, recording, "tasks that wait for the store"),
    WARMPOOL_LAYOUT_ROW(BoardPool, ready, "tasks that may start"),
    WARMPOOL_LAYOUT_ROW(BoardPool, delayed, "tasks that wait for a time"),
    WARMPOOL_LAYOUT_ROW(BoardPool, blocked, "tasks that wait for others"),
    WARMPOOL_LAYOUT_ROW(BoardPool, held, "tasks that wait for a person"),
    WARMPOOL_LAYOUT_ROW(BoardPool, running, "tasks with workers"),
    WARMPOOL_LAYOUT_ROW(BoardPool, dead_letters, ""),
    WARMPOOL_LAYOUT_ROW(BoardPool, payload_bytes, "of all unsettled tasks"),
    WARMPOOL_LAYOUT_ROW(BoardPool, oldest_ready, "time that the first ready task has waited"),
    WARMPOOL_LAYOUT_ROW(BoardPool, processes_started, "by workers, for one task each: no reuse"),
};

constexpr LayoutRow kClass[] = {
    WARMPOOL_LAYOUT_ROW(BoardClass, name, ""),
    WARMPOOL_LAYOUT_ROW(BoardClass, target, "workers wanted"),
    WARMPOOL_LAYOUT_ROW(BoardClass, size_min, "option"),
    WARMPOOL_LAYOUT_ROW(BoardClass, size_max, "option"),
    WARMPOOL_LAYOUT_ROW(BoardClass, slots, "not gone"),
    WARMPOOL_LAYOUT_ROW(BoardClass, ready, "idle"),
    WARMPOOL_LAYOUT_ROW(BoardClass, running, "with tasks in hand"),
    WARMPOOL_LAYOUT_ROW(BoardClass, failed, "died too often before being of use"),
    WARMPOOL_LAYOUT_ROW(BoardClass, capacity, "tasks that they may run at once"),
    WARMPOOL_LAYOUT_ROW(BoardClass, in_flight, "tasks that they have in hand"),
};

constexpr LayoutRow kSlot[] = {
    WARMPOOL_LAYOUT_ROW(BoardSlot, name, "`worker-0`"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, worker, "id of the process life in it; 0: none"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, task, "first of those in hand; 0: none"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, tasks_executed, "attempts given to the slot"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, tasks_of_process, "attempts given to this worker"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, processes_spawned, "in the slot"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, rss_bytes, "when it was last looked at; 0: it was not yet"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, busy, "time with something in hand"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, cpu, "time on a processor, when it was last looked at"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, spawned_at, "wall time; 0: no worker"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, last_heard, "wall time of the last frame or beat; 0: none"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, state_since, "wall time"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, retry_at,
                        "wall time of the next start, in backoff and failed; else 0"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, pid, "0: no process"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, in_hand, "attempts in hand"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, unproductive_deaths, "in a row"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, worker_class, "row of its class"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, round, "of the attempt in hand"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, attempt, "of it"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, state, "number of the slot's state, below"),
    WARMPOOL_LAYOUT_ROW(
        BoardSlot, flags,
        "1 unresponsive, 2 stopped, 4 kept empty for a suspect, 8 its attempt is being ended"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, credits, "tasks that it may hold"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, last_exit, "number of the cause of the last end, below"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, kernel_state,
                        "letter as in proc(5), when it was last looked at; 0: it was not yet"),
    WARMPOOL_LAYOUT_ROW(BoardSlot, score,
                        "a fourth of its health score (0 to 1000), and 1; 0: it has none"),
};

constexpr BoardTable kTables[] = {
    {"## The header", kHeader, sizeof(BoardHeader)},
    {"### The pool", kPool, sizeof(BoardPool)},
    {"### A class", kClass, sizeof(BoardClass)},
    {"### A slot", kSlot, sizeof(BoardSlot)},
};

}  // namespace

std::span<const BoardTable> board_tables() { return kTables; }

}  // namespace warmpool::ipc
