"""How many calls an executor gives ahead."""
from warmpool.pump import AHEAD, EARNED, LONG, SHORT, Window


def after(*calls, workers=2):
    window = Window(workers)
    for seconds, given in calls:
        window.done(seconds, given)
    return window.size


def test_one_more_than_there_are_workers_at_first():
    assert after() == 3
    assert after(*[(SHORT / 2, 1)] * (EARNED - 1)) == 3


def test_some_for_each_worker_where_short_calls_follow_each_other():
    assert after(*[(SHORT / 2, 1)] * EARNED) == 2 * AHEAD


def test_what_waited_for_others_counts_in_equal_parts():
    assert after(*[(SHORT * 8, 32)] * EARNED) == 2 * AHEAD
    assert after(*[(SHORT * 8, 2)] * EARNED) == 3


def test_a_long_call_ends_it_at_once_and_a_slower_one_only_if_there_are_more():
    short = [(SHORT / 2, 1)] * (2 * EARNED)
    assert after(*short, (LONG, 1)) == 3
    assert after(*short, (SHORT * 2, 1)) == 2 * AHEAD
    assert after(*short, *[(SHORT * 2, 1)] * 9) == 3
