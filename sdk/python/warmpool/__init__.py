"""warmpool: workers, clients and an executor in Python. See README.md beside this package, and docs/sdk.md."""
from concurrent.futures import as_completed
from typing import TYPE_CHECKING, Any

from .client import Client
from .content import Packed
from .context import Context
from .errors import (Lost, NoDaemon, ProtocolError, Refused, TaskCancelled, TaskDead, TaskError, TaskExpired, TaskSkipped,
                     WarmpoolError)
from .failure import Failed, FailedForGood, Held, Interrupted, RetryAfter
from .forking import on_fork
from .futures import Settled, TaskFuture
from .link import NotTrusted
from .tasks import Registry, Task, task
from .worker import Worker

if TYPE_CHECKING:
    from .aio import AsyncClient, AsyncTask
    from .executor import Executor
    from .joining import Joining
    from .pump import WorkerDied

LAZY = {"AsyncClient": "aio", "AsyncTask": "aio", "Executor": "executor", "Joining": "joining", "WorkerDied": "pump"}


def __getattr__(name: str) -> Any:
    """What a worker does not need is imported when it is asked for: a worker starts in half the time."""
    if name not in LAZY:
        raise AttributeError(f"module 'warmpool' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f".{LAZY[name]}", __name__), name)


__version__ = "0.1.0"
__all__ = ["AsyncClient", "AsyncTask", "Client", "Context", "Executor", "Failed", "FailedForGood", "Held", "Interrupted", "Joining", "Lost", "NoDaemon",
           "NotTrusted", "Packed", "ProtocolError", "Refused", "Registry", "RetryAfter", "Settled", "Task", "TaskCancelled",
           "TaskDead", "TaskError", "TaskExpired", "TaskFuture", "TaskSkipped", "WarmpoolError", "Worker",
           "WorkerDied", "as_completed", "on_fork", "task"]
