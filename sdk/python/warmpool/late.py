"""Reports of progress that came too soon after another one: said when they are due, though their handler says nothing more."""
from __future__ import annotations

import collections
import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import Context


logger = logging.getLogger("warmpool.worker")


class Late:
    """Threads: any may put. One of its own says what is due, and exists while something waits for that: most tasks report nothing, and
    who reads the channel, which may be the main thread between two tasks, is not woken for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: collections.deque[tuple[float, Context]] = collections.deque()  # each with when it is due
        self._running = False

    def put(self, context: Context) -> None:
        """One that has something unsaid. It is said in 0.1 s at the latest, or with its next report or its answer."""
        with self._lock:
            self._waiting.append((context.due, context))
            begins, self._running = not self._running, True
        if begins:
            self._begin()

    def _begin(self) -> None:
        begun = False
        try:
            threading.Thread(target=self._run, name="warmpool-progress", daemon=True).start()
            begun = True
        except (RuntimeError, MemoryError) as error:  # no more threads: then with the next report, or the answer
            logger.warning("progress is not said in time: %s", error)
        finally:
            if not begun:
                with self._lock:
                    self._waiting.clear()
                    self._running = False

    def _run(self) -> None:
        """A report that cannot be said costs no later one."""
        ended = False
        try:
            while not ended:
                with self._lock:
                    ended = not self._waiting
                    self._running = not ended
                    due, context = (0.0, None) if ended else self._waiting.popleft()
                if context is not None:
                    self._say(due, context)
        finally:
            if not ended:  # else another one may have begun
                with self._lock:
                    self._running = False

    def _say(self, due: float, context: Context) -> None:
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            said = context.say_late()
        except Exception:
            logger.exception("progress of task %s is not said", context.task)
            return
        if not said:
            with self._lock:
                self._waiting.append((context.due, context))
