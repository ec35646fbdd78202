"""A task that was asked for, as a future."""
from __future__ import annotations

import concurrent.futures
import logging
import threading
import time
from typing import Any, Callable, NamedTuple, Optional, Union

from . import content
from .errors import task_error
from .large import view_of
from .wire import Frame
from .words import CAUSES, Verdict, word

Progress = Callable[[float, str], Any]
Partial = Callable[[Any], Any]


class Settled(NamedTuple):
    """What became of a task."""

    task: int
    verdict: int
    cause: str
    round: int
    attempt: int
    failures: int
    crashes: int
    payload: Union[bytes, memoryview]  # a memoryview: it was handed over as a descriptor
    content: int

    @classmethod
    def of(cls, frame: Frame) -> Settled:
        """Raises OSError or ValueError where a descriptor is not what was announced."""
        payload = bytes(frame.payload) if frame.descriptor is None else view_of(frame.descriptor, frame.at(4))
        return cls(frame.id, frame.at(0), word(CAUSES, frame.at(1)), frame.round, frame.attempt, frame.at(2), frame.at(3),
                   payload, frame.flags & 3)


class TaskFuture(concurrent.futures.Future[Any]):
    """result() is what the handler returned, or raises what became of the task (TaskDead, TaskExpired, Refused, Lost ...).

    It stays *pending* until the task settles, whether it runs or waits: cancel() works on both. Callbacks, `progress` and `partial` run
    in the client's reading thread and must not wait for the client.
    """

    def __init__(self, progress: Optional[Progress] = None, partial: Optional[Partial] = None) -> None:
        super().__init__()
        self.task: Optional[int] = None  # its id, once it was accepted
        self.settled: Optional[Settled] = None
        self._progress, self._partial = progress, partial
        self._accepted: Optional[threading.Event] = None  # made for who waits for the id: making one costs more than a submit
        self._heard: Optional[Callable[[], Any]] = None  # called where that event would be set
        self._gate, self._decided = threading.Lock(), False
        self._tell_cancel: Callable[[], Any] = lambda: None

    @property
    def reports(self) -> bool:
        return self._progress is not None or self._partial is not None

    def accepted(self, timeout: Optional[float] = None) -> int:
        """Waits for the id. Raises TimeoutError, or why there is none."""
        with self._gate:
            if self._accepted is None and self.task is None and not self._decided:
                self._accepted = threading.Event()
            told = self._accepted
        end = None if timeout is None else time.monotonic() + timeout
        if told is not None and not told.wait(timeout):
            raise TimeoutError("not accepted in time")
        if self.task is None:
            self.result(None if end is None else max(0.0, end - time.monotonic()))
        assert self.task is not None
        return self.task

    def when_accepted(self, call: Callable[[], Any]) -> None:
        """Calls it once there is an id, or will be none: from any thread, perhaps at once, perhaps twice. The last call given counts."""
        with self._gate:
            self._heard, now = call, self.task is not None or self._decided
        if now:
            call()

    def cancel(self) -> bool:
        """Cancels the task, also one that runs; does not wait for that. False once it has settled."""
        if not self._decide():
            return self.cancelled()
        super().cancel()
        self.set_running_or_notify_cancel()
        self._tell_waiter()
        self._tell_cancel()
        return True

    # The client's.

    def accept(self, task: int) -> None:
        with self._gate:
            self.task = task
        self._tell_waiter()

    def report(self, frame: Frame) -> None:
        try:
            if self._progress is not None:
                self._progress(frame.at(0) / 1000, frame.at(1, ""))
            if self._partial is not None and (frame.payload or frame.flags):
                self._partial(content.decode(bytes(frame.payload), frame.flags & 3))
        except Exception:  # as of a callback: it must not end the thread that reads for all
            logging.getLogger("concurrent.futures").exception("the progress callback of task %s failed", self.task)

    def settle(self, frame: Frame) -> None:
        try:
            self.settled = settled = Settled.of(frame)
        except (OSError, ValueError) as error:
            self.fail(ValueError(f"the result of task {frame.id} came and cannot be taken: {error}"))
            return
        if settled.verdict != Verdict.DONE:
            said = str(settled.payload, "utf-8", "replace")
            self.fail(task_error(settled.verdict, settled.task, frame.at(1), said, settled.failures, settled.crashes))
            return
        try:
            value = content.decode(settled.payload, settled.content)
        except ValueError as error:
            self.fail(ValueError(f"the result of task {settled.task} is not what its label says: {error}"))
            return
        self.finish(value)

    def finish(self, value: Any) -> None:
        if self._decide():
            self.set_running_or_notify_cancel()
            self.set_result(value)
            self._tell_waiter()

    def fail(self, error: BaseException) -> None:
        if self._decide():
            self.set_running_or_notify_cancel()
            self.set_exception(error)
            self._tell_waiter()

    def _tell_waiter(self) -> None:
        if self._accepted is not None:
            self._accepted.set()
        if self._heard is not None:
            self._heard()

    def _decide(self) -> bool:
        """The first who comes says how it ends."""
        with self._gate:
            first, self._decided = not self._decided, True
            return first
