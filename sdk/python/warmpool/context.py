"""What a handler knows of its attempt, and may say while it runs."""
from __future__ import annotations

import functools
import logging
import os
import re
import threading
import time
import traceback
from typing import Any, Callable, Optional, Protocol

from . import content
from .wire import Buffer, Frame, about
from .words import CAUSES, CHECKPOINT_BYTES_MAX, DEGRADED, Kind, PARTIAL_BYTES_MAX, WELL, word

PROGRESS_INTERVAL = 0.1  # seconds; the daemon forwards ten a second
NOTHING = object()  # None is a value
GAUGE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")


class Voice(Protocol):
    """Where a context speaks."""

    def say(self, frame: Frame) -> bool: ...

    def say_later(self, context: Context) -> None:
        """Calls its say_late() when its `due` has come, and again where that says so."""


class Context:
    """Threads: any may use it while the handler runs."""

    def __init__(self, assign: Frame, type_name: str, voice: Voice, left: bytes = b"", left_content: int = 0) -> None:
        self.task, self.token, self.round, self.attempt = assign.key
        self.type = type_name
        self.failures, self.crashes = assign.at(2), assign.at(3)  # charged in this round so far
        self.timeout: Optional[float] = assign.at(0) / 1e9 or None  # of this run; 0: none
        self.directory: Optional[str] = assign.at(4, "") or None  # made for this attempt alone, and removed after it
        # As time.monotonic(): the task's own, which runs from now on, until begin().
        self.deadline: Optional[float] = time.monotonic() + assign.at(1) / 1e9 if assign.at(1) else None
        self._key, self._voice = assign.key, voice
        self._ended: Optional[threading.Event] = None  # made for a handler that waits
        self._cause: Optional[int] = None
        self.on_cancel: Optional[Callable[[], Any]] = None  # called once, by another thread
        self._left, self._left_content = left, left_content
        self._wanted = False
        self.on_checkpoint_wanted: Optional[Callable[[], Any]] = None  # called each time, by another thread
        self._unsaid: Optional[list[Any]] = None
        self._partial: Optional[tuple[Buffer, content.Content]] = None  # that goes with it
        self.due = 0.0  # when progress may be said again, as time.monotonic()
        self._lock = threading.Lock()

    @property
    def cancelled(self) -> bool:
        """Told to end: by a cancel, its timeout, its deadline, or because its worker must end."""
        return self._cause is not None

    @property
    def cancel_cause(self) -> Optional[str]:
        return None if self._cause is None else word(CAUSES, self._cause)

    @property
    def workdir(self) -> str:
        """The attempt's own directory, else where this worker is: with directory = "kept" that of its place."""
        return self.directory or os.getcwd()

    @functools.cached_property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """Goes to standard error, which the daemon keeps with the attempt."""
        return logging.LoggerAdapter(logging.getLogger(f"warmpool.task.{self.type}"), {"task": self.task})

    def time_left(self) -> Optional[float]:
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def wait(self, seconds: float) -> bool:
        """Sleeps, but not through a cancel. True if there was one."""
        with self._lock:
            if self._ended is None:
                self._ended = threading.Event()
            if self._cause is not None:
                self._ended.set()
        return self._ended.wait(seconds)

    def raise_if_cancelled(self) -> None:
        if self.cancelled:
            from .failure import Failed

            raise Failed(f"told to end: {self.cancel_cause}")

    def progress(self, done: float, text: Optional[str] = None, partial: Any = NOTHING) -> None:
        """done: from 0 to 1. Sent at most each 100 ms; the latest of those between then, also where nothing more is said.

        partial: what there is of the result so far, for who waits for it (bytes, text, or what JSON can say, at most 64 KiB): each stands
        for the whole, so that a later one replaces those before. The daemon keeps none."""
        given = None if partial is NOTHING else content.encode(partial)
        if given is not None and len(given[0]) > PARTIAL_BYTES_MAX:
            raise ValueError(f"the partial result has {len(given[0])} bytes, at most {PARTIAL_BYTES_MAX} are passed on; pass on a part")
        permille = min(1000, max(0, round(done * 1000)))
        with self._lock:
            first = self._unsaid is None
            self._partial = self._partial if given is None else given
            self._unsaid = [permille, text and text.replace("\0", " ").encode(errors="replace")[:1024].decode(errors="ignore")]
            if time.monotonic() >= self.due:
                return self._say()
        if first:
            self._voice.say_later(self)

    @functools.cached_property
    def restored(self) -> Any:
        """What an earlier attempt of this task left with checkpoint(); None if none did, or what it left is not what it was said to be."""
        try:
            return content.decode(self._left, self._left_content) if self._left else None
        except ValueError:
            return None

    def checkpoint(self, data: Any) -> bool:
        """Leaves what the next attempt could go on from (its `restored`), should this one not finish: bytes, text, or what JSON can
        say, at most 256 KiB; None takes the last one away. False: this daemon keeps none."""
        payload, label = (b"", content.Content.BYTES) if data is None else content.encode(data)
        if len(payload) > CHECKPOINT_BYTES_MAX:
            raise ValueError(f"the checkpoint has {len(payload)} bytes, at most {CHECKPOINT_BYTES_MAX} are kept; keep a path to the rest in it")
        self._wanted = False
        return self._voice.say(about(self._key, Kind.CHECKPOINT, flags=int(label), payload=payload))

    @property
    def checkpoint_wanted(self) -> bool:
        """The daemon asks for one, because a while has passed or this worker is to end: True until the next checkpoint()."""
        return self._wanted

    def gauge(self, name: str, value: Optional[int]) -> None:
        """A whole number about this worker, for people: stays until it is set again or taken away (None). At most 16 names."""
        if not GAUGE_NAME.fullmatch(name):
            raise ValueError(f"a gauge's name is 1 to 32 of A-Z a-z 0-9 _ . -, not {name!r}")
        if value is not None and (type(value) is not int or not -(2**63) <= value < 2**63):
            raise ValueError(f"a gauge takes a whole number of 64 bits, or None, not {value!r}")
        self._voice.say(Frame(Kind.REPORT, meta=[[f"{name}={'' if value is None else value}"]]))

    def degraded(self, reason: str) -> None:
        """This worker does less than it should: it is given tasks when no healthy one is free, until well() is called."""
        text = reason.replace("\0", " ").encode(errors="replace")[:255].decode(errors="ignore")
        self._voice.say(Frame(Kind.REPORT, flags=DEGRADED, meta=[None, text]))

    def well(self) -> None:
        """It is degraded no more; also what an earlier task said."""
        self._voice.say(Frame(Kind.REPORT, flags=WELL))

    def begin(self) -> None:
        """The worker's: it runs from now on. One that was given ahead has waited meanwhile."""
        if self.timeout is not None:
            ends = time.monotonic() + self.timeout
            self.deadline = ends if self.deadline is None else min(self.deadline, ends)

    def ask(self) -> None:
        """The worker's, from a thread that does not run the handler."""
        self._wanted = True
        self._call(self.on_checkpoint_wanted)

    def say_late(self) -> bool:
        """The worker's, from a thread that does not run the handler: what was held back is due. False: not yet, because the handler
        itself has said something meanwhile; `due` says when."""
        with self._lock:
            if self._unsaid is None:
                return True
            if time.monotonic() < self.due:
                return False
            self._say()
            return True

    def finish(self) -> None:
        """The worker's: what was held back is said before the answer."""
        with self._lock:
            if self._unsaid is not None:
                self._say()

    def cancel(self, cause: int) -> None:
        """The worker's, from a thread that does not run the handler."""
        if self._cause is None:
            self.mark_cancelled(cause)
            with self._lock:
                ended = self._ended
            if ended is not None:
                ended.set()
            self._call(self.on_cancel)

    @staticmethod
    def _call(handlers_own: Optional[Callable[[], Any]]) -> None:
        """What it raises is told and goes no further: this is the thread that reads what the daemon says."""
        try:
            if handlers_own is not None:
                handlers_own()
        except BaseException:
            traceback.print_exc()

    def mark_cancelled(self, cause: int) -> None:
        """The same without a lock: a signal handler may call it."""
        self._cause = cause

    def _say(self) -> None:
        unsaid, self._unsaid, self.due = self._unsaid, None, time.monotonic() + PROGRESS_INTERVAL  # before: a signal may end this
        (payload, label), self._partial = self._partial or (b"", content.Content.BYTES), None
        self._voice.say(about(self._key, Kind.PROGRESS, flags=int(label), meta=unsaid, payload=payload))
