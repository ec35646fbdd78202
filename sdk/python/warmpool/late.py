"""Reports of progress that came too soon after another one: said when they are due, though their handler says nothing more."""
from __future__ import annotations

import collections
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import Context


class Late:
    """Threads: any may put. One of its own says what is due, and exists while something waits for that: most tasks report nothing, and
    who reads the channel, which may be the main thread between two tasks, is not woken for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: collections.deque[Context] = collections.deque()
        self._running = False

    def put(self, context: Context) -> None:
        """One that has something unsaid. It is said in 0.1 s at the latest, or with its next report or its answer."""
        with self._lock:
            self._waiting.append(context)
            begins, self._running = not self._running, True
        if begins:
            try:
                threading.Thread(target=self._run, name="warmpool-progress", daemon=True).start()
            except RuntimeError:  # no more threads: then with the next report, or the answer
                with self._lock:
                    self._waiting.clear()
                    self._running = False

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running = False
                    return
                context = self._waiting.popleft()
            time.sleep(max(0.0, context.due - time.monotonic()))
            context.say_late()
