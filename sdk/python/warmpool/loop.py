"""Where `async def` handlers run. Imported when the first one does: asyncio costs a worker tens of milliseconds to start."""
from __future__ import annotations

import asyncio
import functools
import threading
import time
from typing import Callable, Optional

from . import dividing
from .failure import Failed
from .running import Result, Running, failure
from .session import Attempt
from .tasks import Task


class Loop:
    """For `async def`: one event loop in a thread of its own for the life of the worker, so that what a handler leaves there
    (connections, background tasks) lives on between tasks."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = False
        threading.Thread(target=self._loop.run_forever, name="warmpool-loop", daemon=True).start()

    def begin(self, task: Task, attempt: Attempt) -> None:
        self._loop.call_soon_threadsafe(self._start, task, attempt)

    def through(self, beat: Callable[[], None]) -> None:
        """Calls it in the loop: one that is blocked by what a handler left there does not beat."""
        if not self._asked:
            self._asked = True
            self._loop.call_soon_threadsafe(self._beat, beat)

    def _beat(self, beat: Callable[[], None]) -> None:
        self._asked = False
        beat()

    def _start(self, task: Task, attempt: Attempt) -> None:
        """A coroutine that is cancelled before its first step never runs, so nothing in it could answer: what was told to end while the
        loop was busy is answered here."""
        if attempt.ctx.cancelled:
            return self.running.finish(attempt, told_to_end(attempt), time.monotonic_ns())
        made = self._loop.create_task(self._run(task, attempt))
        self._tasks.add(made)
        made.add_done_callback(self._tasks.discard)
        attempt.ctx.on_cancel = functools.partial(self._loop.call_soon_threadsafe, made.cancel)
        if attempt.ctx.cancelled:  # just now, before it could be called: after the first step, which comes first
            self._loop.call_soon(made.cancel)

    async def _run(self, task: Task, attempt: Attempt) -> None:
        begun = time.monotonic_ns()
        dividing.begin(attempt.key[0])  # in the context of this coroutine's task
        error: Optional[BaseException] = None
        try:
            answer = await self._called(task, attempt)
        except asyncio.CancelledError:
            answer = told_to_end(attempt)
        except BaseException as raised:
            answer, error = failure(raised), raised
        self.running.finish(attempt, answer, begun, error)

    async def _called(self, task: Task, attempt: Attempt) -> Result:
        """Of what the handler was given and gave nothing is left here when this has returned: see Attempt.let_go()."""
        return self.running.success(task, attempt, await self.running.bound(task, attempt)())


def told_to_end(attempt: Attempt) -> Result:
    return failure(Failed(f"told to end: {attempt.ctx.cancel_cause}"))
