"""What this package raises, in another process."""
import copy
import pickle

import pytest

import warmpool

MADE = {
    "Refused": lambda: warmpool.Refused(205, "too much", 1.5), "RetryAfter": lambda: warmpool.RetryAfter(5, "busy"),
    **{name: lambda kind=getattr(warmpool, name): kind(7, 1, "why", 2, 3)
       for name in ("TaskError", "TaskDead", "TaskCancelled", "TaskExpired", "TaskSkipped")},
}
EXCEPTIONS = [name for name in warmpool.__all__ if isinstance(kind := getattr(warmpool, name), type) and issubclass(kind, BaseException)]


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_an_exception_comes_back_as_it_was(name):
    error = MADE.get(name, lambda: getattr(warmpool, name)("some text"))()
    error.add_note("a note")
    for back in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(back) is type(error) and (str(back), back.args, back.__dict__) == (str(error), error.args, error.__dict__)


class Busy(warmpool.RetryAfter):
    def __init__(self, *, line):
        super().__init__(5, f"line {line} is busy")


def test_one_that_is_derived_comes_back_too():
    back = pickle.loads(pickle.dumps(Busy(line=3)))
    assert (type(back), back.retry_after, str(back)) == (Busy, 5, "line 3 is busy")
