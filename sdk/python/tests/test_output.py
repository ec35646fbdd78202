"""What handlers print belongs to their own task, whatever it is."""
import itertools
import random
import re

import pytest
from pool import Pool

import warmpool

TASKS, BATCH = 10_000, 200
LINES_MAX = 1024  # that the daemon keeps of each worker


def said_by(seed):
    """As the handler `talk` of handlers.py prints it: lines, and whether the last one has an end."""
    draw = random.Random(seed)
    lines = [f"{seed}.{number} " + draw.choice(["", "x", "grüße ", "y" * 40]) * draw.randrange(3) for number in range(draw.randrange(5))]
    return lines, draw.random() < 0.5


@pytest.fixture(scope="module")
def pool():
    with Pool({"size": 1}) as made:
        yield made


def test_no_line_is_lost_or_a_neighbours(pool):
    expected, seen, after = {}, {}, 0

    def note(log):
        for line in log["lines"]:
            assert "cut" not in line
            seen.setdefault(line["task"], []).append(line["text"])

    with pool.client() as client:
        for first in range(0, TASKS, BATCH):
            futures = [client.submit("talk", seed, durability="none") for seed in range(first, first + BATCH)]
            for seed, future in zip(range(first, first + BATCH), futures):
                future.result(60)
                expected[future.task] = said_by(seed)[0]
            log = client.request("log", None, "py-0", LINES_MAX, after)
            assert log["missed"] == 0
            after = log["last"]
            note(log)
        # A line without an end is one when the next task's output comes.
        closing = next(seed for seed in itertools.count(TASKS) if said_by(seed)[0] and said_by(seed)[1])
        future = client.submit("talk", closing)
        future.result(60)
        expected[future.task] = said_by(closing)[0]
        note(client.request("log", None, "py-0", LINES_MAX, after))
    assert seen == {task: lines for task, lines in expected.items() if lines}


def test_the_log_of_a_task_is_its_own_also_between_tasks_without_a_pause(pool):
    with pool.client() as client:
        futures = [client.submit("talk", seed, keep_result=True) for seed in range(50)]
        for seed, future in enumerate(futures):
            future.result(60)
            texts = [line["text"] for line in client.request("log", future.task, None, 64)["lines"]]
            assert texts == said_by(seed)[0]


def test_what_a_task_printed_before_it_killed_its_worker_is_kept_with_it(pool):
    with pool.client() as client, pytest.raises(warmpool.TaskDead):
        future = client.submit("talk.die", 0, crashes_max=1)
        try:
            future.result(60)
        finally:
            assert re.fullmatch("last words", client.request("log", future.task)["lines"][-1]["text"])
