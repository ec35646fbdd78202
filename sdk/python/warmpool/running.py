"""Runs one attempt to its answer, and the threads where several run at once."""
from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from typing import Any, Callable, NoReturn, Optional

from . import dividing
from .failure import Failed, FailedForGood, Interrupted, TERMINATED, nanoseconds, text_of
from .large import SealedBody
from .session import Attempt, Session
from .tasks import Task
from .words import Content, Kind

Result = tuple[Kind, Any, int, tuple[Any, ...]]  # kind, payload, content, meta


def failure(error: BaseException) -> Result:
    """Always one, whatever a handler has made of its exception: an attempt without an answer ends with its worker."""
    try:
        outcome = error.outcome if isinstance(error, Failed) else Failed.outcome
        retry_after = nanoseconds(error.retry_after) if isinstance(error, Failed) else None
        return Kind.FAILED, text_of(error), Content.UTF8, (int(outcome), retry_after)
    except BaseException:
        return Kind.FAILED, f"{type(error).__name__}, of which nothing more can be had".encode(), Content.UTF8, (int(Failed.outcome), None)


class Running:
    """From an attempt that was begun to its answer."""

    def __init__(self, session: Session) -> None:
        self._session, self._process = session, os.getpid()

    @property
    def result_bytes_max(self) -> int:
        """Inline or by descriptor."""
        return max(self._session.result_bytes_max, self._session.large_bytes_max)

    def success(self, task: Task, attempt: Attempt, value: Any) -> Result:
        """Raises OSError where there is no memory for a part of the payload as result."""
        try:
            payload, content = task.result(value)
        except (TypeError, ValueError) as error:
            return failure(FailedForGood(f"the result cannot be sent: {error}; return bytes, text or what JSON can say"))
        if len(payload) > self.result_bytes_max:
            return failure(FailedForGood(f"the result has {len(payload)} bytes, at most {self.result_bytes_max} (result_bytes_max, "
                                         "large_bytes_max)"))
        if attempt.is_lent and isinstance(payload, memoryview):  # of the payload perhaps, which is not ours for long
            return Kind.DONE, bytes(payload) if len(payload) <= self._session.result_bytes_max else SealedBody(payload), content, ()
        return Kind.DONE, payload, content, ()

    def bound(self, task: Task, attempt: Attempt) -> Callable[[], Any]:
        try:
            return task.bound(attempt.payload, attempt.content, attempt.ctx)
        except ValueError as error:
            raise FailedForGood(f"the payload is not what its label says: {error}") from None

    def sync(self, task: Task, attempt: Attempt, call: Optional[Callable[..., Any]] = None) -> None:
        """call: what calls the function, for who has to know when the handler is inside."""
        begun = time.monotonic_ns()
        whose = dividing.begin(attempt.key[0])
        error: Optional[BaseException] = None
        try:
            answer = self._called(task, attempt, call)
        except Interrupted:
            answer = failure(Failed(TERMINATED))
        except BaseException as raised:  # SystemExit too: one task does not end the worker
            answer, error = failure(raised), raised
        self.finish(attempt, answer, begun, error)
        dividing.task.reset(whose)

    def _called(self, task: Task, attempt: Attempt, call: Optional[Callable[..., Any]]) -> Result:
        """Of what the handler was given and gave nothing is left here when this has returned: see Attempt.let_go()."""
        bound = self.bound(task, attempt)
        return self.success(task, attempt, bound() if call is None else call(bound))

    def finish(self, attempt: Attempt, answer: Result, begun: int, error: Optional[BaseException] = None) -> None:
        """error: what the handler raised."""
        if os.getpid() != self._process:
            end_child(attempt, error)
        flush_output()
        dividing.end(attempt.key[0])
        if answer[0] == Kind.DONE:
            try:
                attempt.let_go()
            except OSError as raised:
                answer = failure(raised)
        kind, payload, content, meta = answer
        self._session.answer(attempt, kind, payload, content, meta, time.monotonic_ns() - begun)


def end_child(attempt: Attempt, error: Optional[BaseException]) -> NoReturn:
    """A process that a handler forked came out of the handler: it answers nothing and takes nothing back, all that is its parent's. It
    ends as a Python program does that comes to its end so, but for what was registered to be done at the worker's."""
    code = error.code if isinstance(error, SystemExit) else 0 if error is None else 1
    if error is not None and not isinstance(error, SystemExit):
        traceback.print_exception(error)
    elif code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    flush_output()
    dividing.end(attempt.key[0])
    os._exit((code or 0) & 0xFF)


def flush_output() -> None:
    """What a handler printed belongs to its attempt, so it leaves before the answer."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed by a handler: its own affair
            pass


class Threads:
    """For several at once: a thread for each, begun when first needed."""

    def __init__(self, running: Running, limit: int) -> None:
        self.running, self._limit, self._made = running, limit, 0
        self._given: queue.SimpleQueue[tuple[Task, Attempt]] = queue.SimpleQueue()

    def begin(self, task: Task, attempt: Attempt) -> None:
        if self._made < self._limit:
            self._made += 1
            threading.Thread(target=self._work, name=f"warmpool-{self._made}", daemon=True).start()
        self._given.put((task, attempt))

    def _work(self) -> None:
        while True:
            self.running.sync(*self._given.get())
