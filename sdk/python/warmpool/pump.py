"""Gives the calls of an executor to a daemon, a few more at a time than there are workers: what has not been given can still be
cancelled, as in concurrent.futures."""
from __future__ import annotations

import collections
import concurrent.futures
import logging
import os
import pickle
import threading
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Callable, Optional

from . import calls
from .client import Client
from .errors import Lost, NoDaemon, TaskDead
from .futures import TaskFuture

Future = concurrent.futures.Future[Any]
# "failed": what a function raises is its result, so that it was told to end by SIGTERM.
DEATHS = frozenset({"crashed", "memory", "hung", "failed"})


class WorkerDied(BrokenProcessPool):
    """The worker of this call died, was killed for memory or hung. The pool goes on: only this call is lost."""


def as_known(error: TaskDead) -> Exception:
    """As users of concurrent.futures know it."""
    if error.cause in DEATHS:
        return WorkerDied(str(error))
    return TimeoutError(str(error)) if error.cause in ("timeout", "deadline") else error


class Pump:
    """Threads: any may add; results are set by the client's reading thread. close: called once, when all is done after shutdown.
    In a process that was forked off, which has neither the thread nor any use for the connection, it takes nothing and ends nothing."""

    def __init__(self, client: Client, window: int, wishes: dict[str, Any], close: Callable[[], None]) -> None:
        self._client, self._window, self._wishes, self._close = client, window, wishes, close
        self._changed = threading.Condition(threading.RLock())
        self._pending: collections.deque[tuple[Future, bytes]] = collections.deque()
        self._given: set[Future] = set()
        self._broken: Optional[str] = None
        self._shut = self._filling = self._closed = False
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
        if wait:
            self._finish()
        else:
            threading.Thread(target=self._finish, name="warmpool-shutdown").start()

    def shatter(self, why: str) -> None:
        """Nothing more can be run: all that is open fails."""
        with self._changed:
            if self._broken is None:
                self._broken = why
            lost = [future for future, _ in self._pending if future.set_running_or_notify_cancel()]
            lost += [future for future in self._given if not future.done()]
            self._pending.clear()
            self._given.clear()
            self._changed.notify_all()
        for future in lost:
            try:
                future.set_exception(BrokenProcessPool(why))
            except concurrent.futures.InvalidStateError:  # its answer came at the same moment
                pass

    def _finish(self) -> None:
        """Blocks until all is done; then closes, once."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pending and not self._given)
            first, self._closed = not self._closed, True
        if first:
            self._close()

    def _fill(self) -> None:
        if self._filling:  # by this thread: a submit that failed at once
            return
        self._filling = True
        try:
            while self._pending and len(self._given) < self._window:
                future, payload = self._pending.popleft()
                if future.set_running_or_notify_cancel():
                    self._given.add(future)
                    task = self._client.post(calls.TYPE, payload, auto_key=False, **self._wishes)
                    task.add_done_callback(lambda task, future=future: self._done(future, task))  # type: ignore[misc]
        finally:
            self._filling = False
        self._changed.notify_all()

    def _done(self, future: Future, task: TaskFuture) -> None:
        with self._changed:
            if future not in self._given:  # the pool broke
                return
        try:
            kind, *what = pickle.loads(task.result())
            if kind == "broken":
                logging.getLogger("concurrent.futures").critical("Exception in initializer:\n%s", what[0])
                return self.shatter(f"the initializer failed in a worker:\n{what[0]}")
            self._settle(future, kind, what)
        except (Lost, NoDaemon) as error:
            self.shatter(f"the daemon has gone: {error}")
        except TaskDead as error:
            future.set_exception(as_known(error))
        except BaseException as error:  # refused, or it cannot be unpickled here
            future.set_exception(error)
        with self._changed:
            self._given.discard(future)
            self._fill()

    def _settle(self, future: Future, kind: str, what: list[Any]) -> None:
        if kind == "value":
            return future.set_result(pickle.loads(what[0]))
        error = pickle.loads(what[0])
        error.__cause__ = calls.RemoteTraceback(what[1])
        future.set_exception(error)
