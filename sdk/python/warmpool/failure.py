"""What a handler raises to say how its task has failed. Any other exception is Failed."""
from __future__ import annotations

import math
import traceback
from typing import Any, Optional

from .words import Outcome

TERMINATED = "the worker was told to end (SIGTERM)"
TEXT_BYTES_MAX = 4096  # what the daemon keeps of the last error
RETRY_SECONDS_MAX = 3_660 * 86_400  # the longest time there is


class Failed(Exception):
    """Tried again within its retries."""

    outcome = Outcome.FAILED
    retry_after: Optional[float] = None


class FailedForGood(Failed):
    """No retry can help: a dead letter at once."""

    outcome = Outcome.FAILED_FOR_GOOD


def rebuilt(kind: type[BaseException], arguments: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """An exception as it was, also where its constructor takes others than it remembers."""
    made = kind.__new__(kind, *arguments)
    made.__dict__.update(state)
    return made


class Kept(BaseException):
    """Travels to other processes, by pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt, (type(self), self.args, dict(self.__dict__))


class RetryAfter(Kept, Failed):
    """Tried again after so many seconds, at most ten years. Raises ValueError for what is no time."""

    outcome = Outcome.RETRY_AFTER

    def __init__(self, seconds: float, text: str = "") -> None:
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"RetryAfter takes seconds from 0, not {seconds!r}")
        super().__init__(text or f"to be tried again in {seconds:g} s")
        self.retry_after = min(seconds, RETRY_SECONDS_MAX)


class Held(Failed):
    """Waits until a person releases it."""

    outcome = Outcome.HELD


class Interrupted(BaseException):
    """Raised inside a handler on the main thread by SIGTERM. Let it pass: its finally blocks run, then the worker ends."""


def words_of(error: BaseException) -> str:
    """Its own. That these cannot be had must not keep an attempt from its answer."""
    try:
        return str(error)
    except BaseException as why:
        return f"(its text cannot be had: {type(why).__name__})"


def text_of(error: BaseException) -> bytes:
    """The error for people: its own words first, then where it came from, unless the handler chose to raise it."""
    said = words_of(error)
    if not isinstance(error, Failed):
        said = f"{type(error).__name__}: {said}" if said else type(error).__name__
        where = "".join(traceback.format_tb(error.__traceback__)[-8:])
        said += "\n" + where if where else ""
    return said.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace")[:TEXT_BYTES_MAX]


def nanoseconds(seconds: Optional[float]) -> Optional[int]:
    """Raises ValueError, OverflowError or TypeError for what is no time."""
    return None if seconds is None else max(0, int(min(seconds, RETRY_SECONDS_MAX) * 1e9))
