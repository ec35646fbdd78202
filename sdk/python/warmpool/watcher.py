"""Who reads the channel: the main thread, or the watcher while a handler runs long there.

Nobody knows in advance whether a handler will be long, and a thread that reads for another costs each task two switches of
the interpreter lock, which is more than a short task takes. So the main thread reads for itself, and the watcher looks by
itself whether a run has lasted: each 5 ms while there are tasks, and not at all once there was none for a while (then the
next one wakes it). The same as in the C++ library (worker/baton.hpp).
"""
from __future__ import annotations

import enum
import queue
import threading
import time
from typing import Optional

from .bell import Bell
from .session import Session

AFTER = 0.005  # seconds that a handler has run when it is watched
LOOKS_IDLE = 10  # then it stops looking


class State(enum.Enum):
    """Whose the channel is: the main thread's in the first two."""

    MAIN, PARKED, RUNNING, WATCHING, WANTED = range(5)


class Watcher:
    """Threads: one of its own, begun with the first handler; the rest is the main thread's. Order: lend, reclaim, lend ..."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # no handler's code runs under it, and no signal's takes it
        self._state, self._begun = State.MAIN, 0.0
        self._session: Optional[Session] = None
        self._wanted: Optional[Bell] = None  # made with the thread: a template, which has such a watcher too, opens nothing
        self._nudges: queue.SimpleQueue[None] = queue.SimpleQueue()  # of a parked watcher
        self._returns: queue.SimpleQueue[None] = queue.SimpleQueue()  # of the channel, to the main thread

    def lend(self, session: Session) -> None:
        """A handler begins on the main thread: until reclaim() the session's channel may be the watcher's."""
        with self._lock:
            parked, self._state = self._state is State.PARKED, State.RUNNING
            self._session, self._begun = session, time.monotonic()
        if self._wanted is None:
            self._wanted = Bell()
            threading.Thread(target=self._run, args=(self._wanted,), name="warmpool-watcher", daemon=True).start()
        elif parked:
            self._nudges.put(None)

    def reclaim(self) -> None:
        """The channel is the main thread's. Blocks until the watcher has left it, if it has it."""
        with self._lock:
            if self._state is State.RUNNING:
                self._state = State.MAIN
                return
            self._state = State.WANTED
        assert self._wanted is not None
        self._wanted.ring()
        self._returns.get()

    def _run(self, wanted: Bell) -> None:
        while True:
            session = self._take()
            try:
                ear = session.ear(wanted)
                while not session.attend(ear, None):
                    pass
                wanted.hush()
            except BaseException as error:  # no memory, no descriptor: who waits for the channel waits for this thread
                session.break_off(f"this end cannot go on: {error!r}")
                wanted.wait()
            finally:
                with self._lock:
                    self._state = State.MAIN
                self._returns.put(None)

    def _take(self) -> Session:
        """Waits until a handler has run for long."""
        idle, seen = 0, 0.0
        while True:
            with self._lock:
                ran = time.monotonic() - self._begun
                if self._state is State.RUNNING and ran >= AFTER:
                    self._state = State.WATCHING
                    assert self._session is not None
                    return self._session
                wait = AFTER - ran if self._state is State.RUNNING else AFTER
                idle = idle + 1 if self._state is State.MAIN and seen == self._begun else 0
                seen = self._begun
                if idle > LOOKS_IDLE:
                    self._state = State.PARKED
            if idle > LOOKS_IDLE:
                self._nudges.get()
                idle = 0
            time.sleep(wait)
