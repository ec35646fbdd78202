"""The worker's own loop: begins what is given, beats while idle, ends when it is told to."""
from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Callable, Optional

from . import dividing, forking
from .failure import FailedForGood, TERMINATED
from .interruption import Interruption
from .running import Running, Threads, failure, flush_output
from .session import Attempt, HungUp, Session, TurnedAway
from .start import NotStarted, Start
from .tasks import Registry, registry
from .watcher import Watcher
from .wire import ProtocolError

if TYPE_CHECKING:
    from .joining import Joining
    from .loop import Loop

# Exit statuses, as those of the C++ library.
RETIRED, NOT_STARTED, DAEMON_GONE, PROTOCOL = 0, 2, 69, 76
FLUSH_SECONDS = 10
JOIN_WAIT_FIRST, JOIN_WAIT_MAX = 0.1, 5.0  # between two attempts to join a daemon that has ended


class Worker:
    """Serves the daemon that started this process. Threads: run() on the main one."""

    def __init__(self, tasks: Registry = registry, name: str = "python") -> None:
        self._tasks, self._name = tasks, name
        self._loop: Optional[Loop] = None  # of `async def` handlers, once there was one
        self._threads: Optional[Threads] = None
        self._session: Optional[Session] = None
        self._watcher = Watcher()
        self._said_last = ""

    def run(self, start: Optional[Start] = None) -> int:
        """Blocks until retired or told to end; returns an exit status. Where the daemon is gone the process ends at once."""
        if start is None and "WARMPOOL_TEMPLATE" in os.environ:
            from .template import serve

            serve()
            forked = True
        else:
            forked = False
            forking.begin()
        try:
            start = start or Start.from_environment()
            session = Session(start, self._name)
            session.ended = lambda: leave(session)
            self._prepare(session, start.marks)
            session.greet()
            if forked:  # by now the daemon has put it into its cgroup: what the hooks start is this worker's, and its limits hold
                forking.begin()
        except NotStarted as error:
            return said(NOT_STARTED, str(error))
        except HungUp as error:
            return said(DAEMON_GONE, str(error))
        except ProtocolError as error:
            return said(PROTOCOL, str(error))
        with session.interruption.listening(session.changed.ring):
            session.begin()
            self._serve(session)
        session.channel.outbox.flush(FLUSH_SECONDS)
        return RETIRED

    def join(self, joining: Joining) -> int:
        """Serves a daemon that did not start this process, and the next one when that ends. SIGTERM: finishes what is in hand and
        leaves. What runs when the daemon ends is told (ctx.cancelled) and waited for: only then the next one is joined."""
        forking.begin()
        interruption = Interruption(interrupts=False)
        woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        told: queue.SimpleQueue[None] = queue.SimpleQueue()

        def wake() -> None:
            woken.put(None)
            told.put(None)

        threading.Thread(target=self._leave_when, args=(told,), name="warmpool-leaver", daemon=True).start()
        wait, first = JOIN_WAIT_FIRST, True
        with interruption.listening(wake):
            while True:
                try:
                    begun = time.monotonic()
                    status, again = self._join_once(joining, interruption)
                except OSError as error:
                    status, again = self._say_new(DAEMON_GONE, f"no daemon at {joining.path()} ({error.strerror or error})"), not first
                if interruption.asked or not again or not joining.reconnect:
                    return RETIRED if interruption.asked else status
                first, wait = False, JOIN_WAIT_FIRST if time.monotonic() - begun > JOIN_WAIT_MAX else wait
                try:
                    woken.get(timeout=wait)
                except queue.Empty:
                    wait = min(2 * wait, JOIN_WAIT_MAX)

    def _leave_when(self, told: queue.SimpleQueue[None]) -> None:
        """A thread of its own: the main one may be inside a handler for hours."""
        told.get()
        if (session := self._session) is not None:
            session.leave()
            session.changed.ring()

    def _join_once(self, joining: Joining, interruption: Interruption) -> tuple[int, bool]:
        """Its exit status, and whether it may be tried again."""
        start = joining.start(sorted(self._tasks.tasks))
        session = Session(start, self._name, interruption)
        session.ended = session.lost
        try:
            session.greet()
        except HungUp as error:
            start.stream.close()
            return self._say_new(DAEMON_GONE, str(error)), True
        except ProtocolError as error:
            start.stream.close()
            later = isinstance(error, TurnedAway) and error.later
            return self._say_new(PROTOCOL, f"{error}; trying again" if later and joining.reconnect else str(error)), later
        self._prepare(session)
        session.begin()
        self._serve(session, joins=True)
        session.channel.outbox.flush(FLUSH_SECONDS)
        session.close()
        self._said_last = ""
        ended = session.come_again if session.retiring else not session.fault
        if ended and joining.reconnect and not interruption.asked:
            self._say_new(DAEMON_GONE, "the daemon has ended; waiting for the next")
        if session.retiring:
            return RETIRED, session.come_again
        return (said(PROTOCOL, session.fault), False) if session.fault else (DAEMON_GONE, True)

    def _say_new(self, status: int, text: str) -> int:
        """Each new reason once, however often it is met while it tries again."""
        if text != self._said_last:
            said(status, text)
        self._said_last = text
        return status

    def _prepare(self, session: Session, marks: bool = False) -> None:
        if self._session is None:
            prepare(lambda: no_worker_any_more(self._session), marks, session.concurrency == 1)
        self._session = session

    def _serve(self, session: Session, joins: bool = False) -> None:
        running = Running(session)
        if self._threads is None:
            self._threads = Threads(running, session.concurrency)
        if self._loop is not None:
            self._loop.running = running
        self._threads.running = running
        threads, interruption = self._threads, session.interruption
        while True:
            if interruption.asked and joins:
                session.leave()
            while (joins or not interruption.asked) and (attempt := session.next()) is not None:
                self._begin(attempt, session, running, threads)
            if interruption.asked and not joins:
                session.end_all(TERMINATED)
            ends = session.retiring or session.gone or (interruption.asked and not joins)
            if ends and session.is_empty():
                return
            if not session.wait():
                continue
            if self._loop is None:
                session.beat()
            else:
                self._loop.through(session.beat)

    def _begin(self, attempt: Attempt, session: Session, running: Running, threads: Threads) -> None:
        task = self._tasks.find(attempt.ctx.type)
        if task is None:
            kind, text, content, meta = failure(FailedForGood(f"no handler for the type {attempt.ctx.type!r}"))
            session.answer(attempt, kind, text, content, meta)
        elif task.is_async:
            if self._loop is None:
                from .loop import Loop

                self._loop = Loop(running)
            self._loop.begin(task, attempt)
        elif session.concurrency > 1:
            threads.begin(task, attempt)
        else:
            self._watcher.lend(session)
            running.sync(task, attempt, session.interruption.call)
            self._watcher.reclaim()
            session.exchange()


def prepare(in_child: Callable[[], None], marks: bool, one_by_one: bool) -> None:
    """Output leaves by lines; a process that a handler forks does not keep the channel open."""
    if marks:
        dividing.divide(one_by_one)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and not isinstance(stream.buffer, dividing.Divided):  # which sees to lines itself
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    os.register_at_fork(after_in_child=in_child)


def no_worker_any_more(session: Optional[Session]) -> None:
    """In a process that a handler forked."""
    if session is not None:
        session.channel.stream.close()
        session.forget_page()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def leave(session: Session) -> None:
    """Nobody takes results any more, and a handler may run for hours: ends the process where it stands."""
    flush_output()
    os._exit(said(PROTOCOL, session.fault) if session.fault else DAEMON_GONE)


def said(status: int, text: str) -> int:
    print(f"warmpool worker: {text}", file=sys.stderr, flush=True)
    return status
