"""The worker's own loop: begins what is given, beats while idle, ends when it is told to."""
from __future__ import annotations

import logging
import os
import queue
import signal
import sys
from typing import TYPE_CHECKING, Optional

from .failure import FailedForGood
from .running import Running, Threads, failure, flush_output
from .session import Attempt, HungUp, Session
from .start import NotStarted, Start
from .tasks import Registry, registry
from .wire import ProtocolError

if TYPE_CHECKING:
    from .loop import Loop

# Exit statuses, as those of the C++ library.
RETIRED, NOT_STARTED, DAEMON_GONE, PROTOCOL = 0, 2, 69, 76
FLUSH_SECONDS = 10


class Worker:
    """Serves the daemon that started this process. Threads: run() on the main one."""

    def __init__(self, tasks: Registry = registry, name: str = "python") -> None:
        self._tasks, self._name = tasks, name
        self._loop: Optional[Loop] = None  # of `async def` handlers, once there was one

    def run(self, start: Optional[Start] = None) -> int:
        """Blocks until retired or told to end; returns an exit status. Where the daemon is gone the process ends at once."""
        try:
            session = Session(start or Start.from_environment(), self._name)
            session.ended = lambda: leave(session)
            prepare(session)
            session.greet()
        except NotStarted as error:
            return said(NOT_STARTED, str(error))
        except HungUp as error:
            return said(DAEMON_GONE, str(error))
        except ProtocolError as error:
            return said(PROTOCOL, str(error))
        with session.interruption.listening(lambda: session.changed.put(None)):
            session.begin()
            self._serve(session)
        session.channel.outbox.flush(FLUSH_SECONDS)
        return RETIRED

    def _serve(self, session: Session) -> None:
        running = Running(session)
        threads, interruption = Threads(running, session.concurrency), session.interruption
        while True:
            while not interruption.asked and (attempt := session.next()) is not None:
                self._begin(attempt, session, running, threads)
            if interruption.asked:
                session.end_all("the worker was told to end (SIGTERM)")
            if (interruption.asked or session.retiring) and session.is_empty():
                return
            try:
                session.changed.get(timeout=session.heartbeat)
            except queue.Empty:
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
            running.sync(task, attempt, session.interruption.call)


def prepare(session: Session) -> None:
    """Output leaves by lines; a process that a handler forks does not keep the channel open."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    os.register_at_fork(after_in_child=lambda: no_worker_any_more(session))


def no_worker_any_more(session: Session) -> None:
    """In a process that a handler forked."""
    session.channel.stream.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def leave(session: Session) -> None:
    """Nobody takes results any more, and a handler may run for hours: ends the process where it stands."""
    flush_output()
    os._exit(said(PROTOCOL, session.fault) if session.fault else DAEMON_GONE)


def said(status: int, text: str) -> int:
    print(f"warmpool worker: {text}", file=sys.stderr, flush=True)
    return status
