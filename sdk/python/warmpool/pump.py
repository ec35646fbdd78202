"""Gives the calls of an executor to a daemon, one more at a time than there are workers: what has not been given can still be
cancelled, as in concurrent.futures. Where one short call follows the other it gives some more ahead, so that a worker need not wait
for what this process does with results. They wait in the daemon: a worker has one in hand, and its death costs that one only."""
from __future__ import annotations

import collections
import concurrent.futures
import logging
import os
import pickle
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Callable, Optional

from . import calls
from .client import Client
from .errors import Lost, NoDaemon, TaskDead, task_error
from .failure import TERMINATED
from .large import view_of
from .wire import Frame
from .wishes import meta_of
from .words import Verdict

Future = concurrent.futures.Future[Any]
DEATHS = frozenset({"crashed", "memory", "hung"})
SHORT, LONG = 0.001, 0.05  # seconds
AHEAD, EARNED, CREDIT_MAX, LOST = 4, 64, 128, 8  # given for each worker; after so many short calls; what one between the two loses


class WorkerDied(BrokenProcessPool):
    """The worker of this call died, was killed for memory or hung. The pool goes on: only this call is lost."""


def as_known(error: TaskDead) -> Exception:
    """As users of concurrent.futures know it."""
    if error.cause in DEATHS or (error.cause, error.error) == ("failed", TERMINATED):
        return WorkerDied(str(error))
    return TimeoutError(str(error)) if error.cause in ("timeout", "deadline") else error


class Window:
    """How many calls may be given at once. A call's own time is what passed since it was given, in equal parts for those before it."""

    def __init__(self, workers: int) -> None:
        self._workers, self._credit = workers, 0
        self.size = workers + 1

    def done(self, seconds: float, given: int) -> None:
        """One of which there were `given`, itself included, when it was given."""
        own = seconds * min(1.0, self._workers / given)
        if own >= LONG:
            self._credit = 0
        else:
            self._credit = min(CREDIT_MAX, self._credit + 1) if own < SHORT else max(0, self._credit - LOST)
        self.size = self._workers * AHEAD if self._credit >= EARNED else self._workers + 1


class Given:
    """A call that was given to the daemon. As light as it can be: a TaskFuture would cost as much as all the rest of a small call."""

    __slots__ = ("task", "future", "at", "beside", "_pump")

    def __init__(self, future: Future, pump: Pump, beside: int) -> None:
        """beside: how many there are, with this one."""
        self.task: Optional[int] = None
        self.future, self._pump, self.beside, self.at = future, pump, beside, time.monotonic()

    def accept(self, task: int) -> None:
        self.task = task

    def report(self, frame: Frame) -> None:
        """Calls report nothing."""

    def settle(self, frame: Frame) -> None:
        self._pump.settled(self, frame)

    def finish(self, value: Any) -> None:
        """Only of what waits for no result."""

    def fail(self, error: BaseException) -> None:
        self._pump.failed(self, error)

    def cancelled(self) -> bool:
        return False


def value_or_error(kind: str, what: list[Any]) -> tuple[Any, Optional[BaseException]]:
    """What the function returned, or raised."""
    if kind == "value":
        return pickle.loads(what[0]), None
    error: BaseException = pickle.loads(what[0])
    error.__cause__ = calls.RemoteTraceback(what[1])
    return None, error


class Pump:
    """Threads: any may add; results are set by the client's reading thread. close: called once, when all is done after shutdown.
    abort: called when the pool breaks, and may not block; what still runs is of no use to anybody.
    In a process that was forked off, which has neither the thread nor any use for the connection, it takes nothing and ends nothing."""

    def __init__(self, client: Client, workers: int, wishes: dict[str, Any], close: Callable[[], None],
                 abort: Callable[[], None] = lambda: None) -> None:
        self._client, self._window, self._meta, self._close, self._abort = client, Window(workers), meta_of(wishes), close, abort
        self._changed = threading.Condition(threading.RLock())
        self._pending: collections.deque[tuple[Future, bytes]] = collections.deque()
        self._given: set[Given] = set()
        self._broken: Optional[str] = None
        self._shut = self._closed = False
        self._filling: Optional[int] = None  # by which thread
        self._process = os.getpid()

    def add(self, future: Future, payload: bytes) -> None:
        with self._changed:
            self.check()
            self._pending.append((future, payload))
            self._fill()

    def check(self) -> None:
        """Raises where nothing more is taken."""
        if os.getpid() != self._process:
            raise RuntimeError("cannot schedule new futures in a forked process: the executor is its parent's; make one here")
        if self._broken is not None:
            raise BrokenProcessPool(self._broken)
        if self._shut:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def shutdown(self, wait: bool, cancel: bool) -> None:
        """Raises RuntimeError where who waits keeps what it waits for from coming; all else is done then as without waiting."""
        if os.getpid() != self._process:
            return
        with self._changed:
            self._shut = True
            dropped = [future for future, _ in self._pending] if cancel else []
            if cancel:
                self._pending.clear()
        for future in dropped:
            if future.cancel():
                future.set_running_or_notify_cancel()
        in_callback = self._client.reads_here() or self._filling == threading.get_ident()
        if wait and not in_callback:
            return self._finish()
        threading.Thread(target=self._finish, name="warmpool-shutdown").start()
        if wait:
            raise RuntimeError("cannot join current thread: a callback may shut an executor down with wait=False only")

    def shatter(self, why: str) -> None:
        """Nothing more can be run: all that is open fails."""
        with self._changed:
            if self._broken is None:
                self._broken = why
            lost = [future for future, _ in self._pending if future.set_running_or_notify_cancel()]
            lost += [given.future for given in self._given if not given.future.done()]
            self._pending.clear()
            self._given.clear()
            self._changed.notify_all()
        for future in lost:
            try:
                future.set_exception(BrokenProcessPool(why))
            except concurrent.futures.InvalidStateError:  # its answer came at the same moment
                pass
        self._abort()

    def _finish(self) -> None:
        """Blocks until all is done; then closes, once."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pending and not self._given)
            first, self._closed = not self._closed, True
        if first:
            self._close()

    def _fill(self) -> None:
        """Order: with the lock."""
        if self._filling is not None:  # by this thread: a submit that failed at once
            return
        self._filling = threading.get_ident()
        try:
            while self._pending and len(self._given) < self._window.size:
                future, payload = self._pending.popleft()
                if future.set_running_or_notify_cancel():
                    given = Given(future, self, len(self._given) + 1)
                    self._given.add(given)
                    self._give(given, payload)
        finally:
            self._filling = None
        if not self._given and not self._pending:
            self._changed.notify_all()

    def _give(self, given: Given, payload: bytes) -> None:
        try:
            self._client.give(given, calls.TYPE, payload, self._meta)
        except BaseException as error:
            self._given.discard(given)
            self._tell(given.future, None, error)
            if not isinstance(error, Exception):  # an interruption: of who submits
                raise

    # What becomes of what was given: by the client's reading thread.

    def settled(self, given: Given, frame: Frame) -> None:
        self._done(given, lambda: self._outcome_of(frame))

    def failed(self, given: Given, error: BaseException) -> None:
        def raised() -> Any:
            raise error

        self._done(given, raised)

    def _outcome_of(self, frame: Frame) -> Any:
        """Raises what became of the task where it is not done."""
        body = frame.payload if frame.descriptor is None else view_of(frame.descriptor, frame.at(4))
        self._client.received(frame.id, len(body))
        if frame.at(0) == Verdict.DONE:
            return pickle.loads(body)
        said = str(body, "utf-8", "replace")
        raise task_error(frame.at(0), frame.id, frame.at(1), said, frame.at(2), frame.at(3))

    def _done(self, given: Given, result: Callable[[], Any]) -> None:
        with self._changed:
            if given not in self._given:  # the pool broke
                return
        value, error = None, None
        try:
            kind, *what = result()
            if kind == "broken":
                logging.getLogger("concurrent.futures").critical("Exception in initializer:\n%s", what[0])
                return self.shatter(f"the initializer failed in a worker:\n{what[0]}")
            value, error = value_or_error(kind, what)
        except (Lost, NoDaemon) as why:
            return self.shatter(f"the daemon has gone: {why}")
        except TaskDead as why:
            error = as_known(why)
        except BaseException as why:  # refused, or it cannot be unpickled here
            error = why
        self._tell(given.future, value, error)
        with self._changed:
            self._window.done(time.monotonic() - given.at, given.beside)
            self._given.discard(given)
            self._fill()

    def _tell(self, future: Future, value: Any, error: Optional[BaseException]) -> None:
        """A callback runs in here, and may raise what no Exception is: it must not end the thread that reads for all."""
        try:
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        except concurrent.futures.InvalidStateError:  # the pool broke at the same moment
            pass
        except BaseException:
            logging.getLogger("concurrent.futures").exception("a callback of a call ended by what no callback may raise")
