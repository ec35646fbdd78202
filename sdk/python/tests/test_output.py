"""What handlers print belongs to their own task, whatever it is. The whole: scripts/campaign.sh output."""
import os
import re

import pytest
import random_output
from pool import Pool, eventually
from random_output import ERR, OUT

import warmpool

TASKS = int(os.environ.get("WARMPOOL_OUTPUT_TASKS", "3000"))
SEED = int(os.environ.get("WARMPOOL_OUTPUT_SEED", "0"))
BATCH, ASKED = 200, 10  # between two looks at the logs; of how many of these the log is asked for by task
LINES_MAX = 1024  # that the daemon keeps of each worker
STREAMS = {"stdout": OUT, "stderr": ERR}


@pytest.fixture(scope="module")
def pool():
    with Pool({"size": 2, "credits": 1}, worker_output_bytes_max="8MiB", backoff_first="1ms") as made:
        yield made


def as_known(line):
    return line["text"], line.get("cut", False)


def compare(script, lines, seed):
    """lines: of the log, of one task."""
    for name, stream in STREAMS.items():
        seen, said = [as_known(line) for line in lines if line["stream"] == name], script.lines(stream)
        if not script.in_order():
            seen, said = sorted(seen), sorted(said)
        assert seen == said, f"{name} of the task of number {seed}"


class Logs:
    """Of all workers, by task: each line once."""

    def __init__(self, client, slots):
        self.client, self.after, self.lines = client, dict.fromkeys(slots, 0), {}

    def look(self):
        """At what is finished."""
        for slot, after in self.after.items():
            log = self.client.request("log", None, slot, LINES_MAX, after)
            assert log["missed"] == 0
            self.after[slot] = log["last"]
            self._take(log)

    def close(self):
        """Also at the lines without an end."""
        self.look()
        for slot in self.after:
            log = self.client.request("log", None, slot, LINES_MAX)
            self._take({"lines": [line for line in log["lines"] if line.get("unfinished")]})

    def _take(self, log):
        for line in log["lines"]:
            self.lines.setdefault(line.get("task", 0), []).append(line)


def test_no_line_is_lost_or_a_neighbours(pool):
    ends, workers = {"done": 0, "failed": 0, "killed": 0}, set()
    with pool.client() as client:
        logs = Logs(client, [row["id"] for row in client.workers()])
        tasks = {}
        for first in range(SEED, SEED + TASKS, BATCH):
            seeds = range(first, min(first + BATCH, SEED + TASKS))
            workers |= {row["pid"] for row in client.workers()}
            asked = set(list(seeds)[-ASKED:])
            futures = {seed: client.submit("talk", seed, durability="none", retries=0, crashes_max=1, keep_result=seed in asked) for seed in seeds}
            for seed, future in futures.items():
                tasks[future.accepted(60)] = seed
                error = future.exception(60)
                end = "done" if error is None else {"failed": "failed", "crashed": "killed"}[error.cause]
                assert end == random_output.script(seed).end
                ends[end] += 1
            logs.look()
            for seed in asked:
                compare(random_output.script(seed), client.request("log", futures[seed].task, None, LINES_MAX)["lines"], seed)
        logs.close()
    for task, seed in tasks.items():
        compare(random_output.script(seed), logs.lines.pop(task, []), seed)
    assert not logs.lines  # of nobody, or of a task that never was
    assert ends["done"] and ends["failed"] and len(workers) <= 2 + ends["killed"]
    count = sum(len(random_output.script(seed).lines(stream)) for seed in tasks.values() for stream in STREAMS.values())
    print(f"{len(tasks)} tasks {ends}, {count} lines, {len(workers)} workers seen: none lost, none a neighbour's")


@pytest.mark.parametrize("handler, class_options", [
    ("talk.together", {"concurrency": 8, "credits": 8}), ("async.talk.together", {"concurrency": 8, "credits": 16}),
    ("talk.together", {"credits": 16})])
def test_lines_of_several_tasks_in_hand_are_told_apart(handler, class_options):
    """But for what goes around the library: that is of nobody, where several run at once."""
    apart, together = ("text", "bytes"), class_options.get("concurrency", 1) > 1
    with Pool({"size": 1, **class_options}, worker_output_bytes_max="8MiB") as pool, pool.client() as client:
        logs = Logs(client, [row["id"] for row in client.workers()])
        for first in range(SEED, SEED + TASKS // 5, BATCH):
            seeds = range(first, first + BATCH)
            futures = {seed: client.submit(handler, seed, durability="none") for seed in seeds}
            tasks = {seed: (future.result(60), future.task)[1] for seed, future in futures.items()}
            logs.look()
            logs.close()
            for seed, task in tasks.items():
                script, lines = random_output.script(seed), logs.lines.pop(task, [])
                for name, stream in STREAMS.items():
                    said = script.lines(stream, apart, marked=True)
                    seen = [as_known(line) for line in lines if line["stream"] == name]
                    if not together:  # what goes around the library counts for one of those in hand
                        said = [line for line in said if line[0]]
                        seen = [line for line in seen if line in said]
                    assert seen == said, f"{name} of the task of number {seed}"
        assert together == (0 in logs.lines)  # of programs and threads that a handler started


def test_what_a_task_printed_before_it_killed_its_worker_is_kept_with_it(pool):
    with pool.client() as client, pytest.raises(warmpool.TaskDead):
        future = client.submit("talk.die", 0, crashes_max=1)
        try:
            future.result(60)
        finally:
            assert re.fullmatch("last words", client.request("log", future.task)["lines"][-1]["text"])


SEVERAL = pytest.mark.parametrize("class_options", [{"concurrency": 4, "credits": 8}, {"credits": 8}], ids=["at_once", "one_by_one"])


def printed(client, task, stream="stdout"):
    return [line["text"] for line in client.request("log", task, None, LINES_MAX)["lines"] if line["stream"] == stream and line.get("task")]


@SEVERAL
def test_what_is_printed_is_no_mark_whatever_it_looks_like(class_options):
    with Pool({"size": 1, **class_options}) as pool, pool.client() as client:
        other = client.submit("same", b"")
        other.result(60)
        future = client.submit("talk.forge", other.task)
        future.result(60)
        assert printed(client, other.task) == []
        seen = printed(client, future.task)
        assert seen[0].startswith(f"before \u241e{other.task:016x}\u241fforged \u241e\u241e")
        assert seen[1:] == [f"\u241e{other.task:016x}\u241fin two"]


def test_a_long_line_is_one_line_whatever_is_printed_meanwhile():
    with Pool({"size": 1, "concurrency": 4, "credits": 8}) as pool, pool.client() as client:
        future = client.submit("talk.long", 5000)
        future.result(60)
        assert printed(client, future.task) == ["y" * 4096, "after it"]


@SEVERAL
@pytest.mark.parametrize("handler, words", [("talk.half_and_die", "last words"), ("talk.die", "last words")])
def test_what_was_flushed_outlives_the_worker(class_options, handler, words):
    with Pool({"size": 1, **class_options}) as pool, pool.client() as client:
        future = client.submit(handler, crashes_max=1)
        assert isinstance(future.exception(60), warmpool.TaskDead)
        assert words in printed(client, future.task)


@SEVERAL
def test_what_comes_after_the_end_without_a_line_feed_is_not_held_for_ever(class_options, tmp_path):
    with Pool({"size": 1, **class_options}) as pool, pool.client() as client:
        client.run("async.talk.late", str(tmp_path / "later"), wait=60)
        (tmp_path / "later").touch()

        def said():
            return "".join(line["text"] for line in client.request("log", None, "py-0", LINES_MAX)["lines"])

        eventually(lambda: "in time, " in said() and "said late" in said(), "all of it is kept")


@SEVERAL
def test_what_is_held_leaves_also_when_stdout_is_another_by_then(class_options):
    with Pool({"size": 1, **class_options}) as pool, pool.client() as client:
        future = client.submit("talk.redirected")
        future.result(60)
        assert printed(client, future.task) == ["held"]


@SEVERAL
def test_a_child_prints_nothing_that_its_parent_holds(class_options):
    with Pool({"size": 1, **class_options}) as pool, pool.client() as client:
        future = client.submit("talk.child")
        future.result(60)
        seen = "".join(printed(client, future.task))
        assert seen.count("of the parent") == seen.count("of the child") == seen.count(", whole") == 1


@SEVERAL
def test_who_kept_the_old_stream_writes_lines_there(class_options):
    with Pool({"size": 1, **class_options}) as pool, pool.client() as client:
        future = client.submit("talk.old", crashes_max=1)
        assert isinstance(future.exception(60), warmpool.TaskDead)
        [slot] = {row["id"] for row in client.workers()}
        assert "by the old one" in [line["text"] for line in client.request("log", None, slot, LINES_MAX)["lines"]]


def test_a_failure_has_its_own_lines_only(tmp_path):
    path = str(tmp_path / "begun")
    with Pool({"size": 1, "concurrency": 4, "credits": 8}) as pool, pool.client() as client:
        neighbour = client.submit("talk.wait", path)
        future = client.submit("talk.fail", path, retries=0)
        assert isinstance(future.exception(60), warmpool.TaskDead)
        assert client.request("show", future.task)["attempts"][-1]["output"] == ["its own"]
        open(path + ".failed", "x").close()
        neighbour.result(60)
