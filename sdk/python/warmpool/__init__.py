"""warmpool: workers, clients and an executor in Python. See README.md beside this package, and docs/sdk.md."""
from concurrent.futures import as_completed

from .aio import AsyncClient, AsyncTask
from .client import Client
from .content import Packed
from .context import Context
from .errors import (Lost, NoDaemon, ProtocolError, Refused, TaskCancelled, TaskDead, TaskError, TaskExpired, TaskSkipped,
                     WarmpoolError)
from .executor import Executor
from .failure import Failed, FailedForGood, Held, Interrupted, RetryAfter
from .futures import Settled, TaskFuture
from .link import NotTrusted
from .pump import WorkerDied
from .tasks import Registry, Task, task
from .worker import Worker

__version__ = "0.1.0"
__all__ = ["AsyncClient", "AsyncTask", "Client", "Context", "Executor", "Failed", "FailedForGood", "Held", "Interrupted", "Lost", "NoDaemon",
           "NotTrusted", "Packed", "ProtocolError", "Refused", "Registry", "RetryAfter", "Settled", "Task", "TaskCancelled",
           "TaskDead", "TaskError", "TaskExpired", "TaskFuture", "TaskSkipped", "WarmpoolError", "Worker",
           "WorkerDied", "as_completed", "task"]
