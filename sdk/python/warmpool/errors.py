"""What a program that asks for tasks has to catch."""
from __future__ import annotations

from typing import Optional

from .failure import Kept
from .wire import ProtocolError
from .words import CAUSES, word

__all__ = ["WarmpoolError", "Refused", "Lost", "NoDaemon", "TaskError", "TaskDead", "TaskCancelled", "TaskExpired",
           "TaskSkipped", "ProtocolError"]


class WarmpoolError(Exception):
    """Base of all below."""


class NoDaemon(WarmpoolError, ConnectionError):
    """Nobody answers at the socket."""


class Lost(WarmpoolError, ConnectionError):
    """The connection ended before the answer, and asking again could do it twice."""


class Refused(Kept, WarmpoolError):
    """The daemon refused: `code` says why (docs/protocol.md, section 7), `retry_after` whether trying again makes sense."""

    def __init__(self, code: int, text: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{text} ({code})")
        self.code, self.text, self.retry_after = code, text, retry_after


class TaskError(Kept, WarmpoolError):
    """A task that settled otherwise than done. `error` is the last error that its handler gave, or the daemon."""

    def __init__(self, task: int, cause: int, error: str, failures: int = 0, crashes: int = 0) -> None:
        self.task, self.cause, self.error = task, word(CAUSES, cause), error
        self.failures, self.crashes = failures, crashes
        super().__init__(f"task {task}: {self.cause}" + (f": {error}" if error else ""))


class TaskDead(TaskError):
    """It is in the dead letter queue."""


class TaskCancelled(TaskError):
    """Somebody cancelled it."""


class TaskExpired(TaskError):
    """It waited longer than its expiry, or missed its deadline."""


class TaskSkipped(TaskError):
    """A task that it depends on did not succeed."""


BY_VERDICT: dict[int, type[TaskError]] = {1: TaskDead, 2: TaskCancelled, 3: TaskExpired, 4: TaskSkipped}


def task_error(verdict: int, task: int, cause: int, error: str, failures: int, crashes: int) -> TaskError:
    return BY_VERDICT.get(verdict, TaskError)(task, cause, error, failures, crashes)


def seconds_of(nanoseconds: Optional[int]) -> float:
    return (nanoseconds or 0) / 1e9
