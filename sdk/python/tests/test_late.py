"""Reports of progress that came too soon: how often they are said, and that one which fails stops no other. The clock is made up."""
import sys
import threading

import pytest
from warmpool import context, late
from warmpool.wire import Frame
from warmpool.words import Kind


class World:
    """A clock, and a handler that reports at these times, also while somebody sleeps. Whoever sleeps wakes too late."""

    def __init__(self, reports=(), oversleeps=0.0):
        self.now, self.reports, self.oversleeps = 100.0, [100.0 + each for each in reports], oversleeps
        self.said, self.begun, self.broken, self.scarce = [], [], 0, 0
        self.late = late.Late()
        self.context = context.Context(Frame(Kind.ASSIGN, id=1, token=1, round=1, attempt=1), "t", self)

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pass_until(self.now + seconds + self.oversleeps)

    def pass_until(self, end):
        while self.reports and self.reports[0] <= end:
            self.now = max(self.now, self.reports.pop(0))
            self.context.progress(0.5, f"{self.now - 100:.3f}")
        self.now = max(self.now, end)

    def run(self):
        """Until nobody has anything more to say."""
        while self.reports or self.begun:
            if self.begun:
                self.begun.pop(0)()
            else:
                self.pass_until(self.reports[0])

    # What a context speaks to:

    def say(self, frame):
        if self.broken:
            self.broken -= 1
            raise OSError("cannot be said")
        self.said.append((self.now - 100, frame.at(1)))
        return True

    def say_later(self, context):
        self.late.put(context)

    # What Late starts:

    def Thread(self, target, name, daemon):  # noqa: N802
        world = self

        class Fake:
            def start(self):
                if world.scarce:
                    world.scarce -= 1
                    raise RuntimeError("can't start new thread")
                world.begun.append(target)

        return Fake()

    Lock = staticmethod(threading.Lock)


@pytest.fixture
def world(monkeypatch):
    def made(*args):
        made_up = World(*args)
        for module in (late, context):
            monkeypatch.setattr(module, "time", made_up)
        monkeypatch.setattr(late, "threading", made_up)
        return made_up

    return made


@pytest.mark.parametrize("step", (0.007, 0.03, 0.05, 0.099, 0.1, 0.11))
@pytest.mark.parametrize("oversleeps", (0.0, 0.02, 0.09))
def test_it_is_said_at_most_each_100_ms_and_the_last_one_in_any_case(world, step, oversleeps):
    reports = [step * number for number in range(100)]
    it = world(reports, oversleeps)
    it.run()
    times = [when for when, _ in it.said]
    assert min(later - before for before, later in zip(times, times[1:])) >= context.PROGRESS_INTERVAL - 1e-9
    assert it.said[-1][1] == f"{reports[-1]:.3f}"
    assert times[-1] <= reports[-1] + context.PROGRESS_INTERVAL + 2 * oversleeps + 1e-9


def test_one_that_cannot_be_said_stops_no_other(world, caplog):
    it = world([0.0, 0.05])
    it.pass_until(100.05)
    it.broken = 1
    it.run()
    assert "progress of task 1 is not said" in caplog.text
    it.reports = [it.now + 0.5, it.now + 0.55]
    it.run()
    assert [text for _, text in it.said] == ["0.000", "0.600", "0.650"]


def test_a_thread_that_dies_or_cannot_begin_is_followed_by_another(world):
    it = world([0.0, 0.05])
    it.pass_until(100.05)
    it.context.say_late, says = sys.exit, it.context.say_late
    with pytest.raises(SystemExit):
        it.run()
    it.context.say_late = says
    it.scarce = 1
    for _ in range(2):
        it.context.finish()
        it.pass_until(it.now + 0.5)
        it.reports = [it.now, it.now + 0.05]
        reports = [f"{each - 100:.3f}" for each in it.reports]
        it.run()
    assert [text for _, text in it.said][-2:] == reports
