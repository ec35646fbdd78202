"""Calls of Python functions: how they travel, and the task that makes them. The daemon never looks inside.

A function goes by its import path where that is enough (plain pickle), by value where it is not and cloudpickle is installed:
lambdas, closures, and what was defined in __main__, which is another module in a worker.
"""
from __future__ import annotations

import collections
import io
import pickle
import threading
import traceback
from typing import Any, Callable, Optional

from .failure import Interrupted
from .tasks import Registry, Task
from .wire import Buffer

TYPE = "python.call"
STARTS_MAX = 256  # initializers that a worker remembers


class RemoteTraceback(Exception):
    """The cause of an exception that came from a worker: where it was raised there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


class RemoteError(Exception):
    """Stands for an exception that cannot travel."""


def dump(value: Any) -> bytes:
    """Raises PicklingError, TypeError or AttributeError where it cannot travel."""
    try:
        data = pickle.dumps(value, 5)
        return data if b"__main__" not in data else OfModules.pickled(value)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        fault = error
    try:
        import cloudpickle
    except ImportError:
        raise fault from None
    by_value: bytes = cloudpickle.dumps(value, 5)
    return by_value


class OfModules(pickle.Pickler):
    """Refuses what __main__ defines, and takes what only has that word in it."""

    @classmethod
    def pickled(cls, value: Any) -> bytes:
        room = io.BytesIO()
        cls(room, 5).dump(value)
        return room.getvalue()

    def reducer_override(self, value: Any) -> Any:
        if getattr(value, "__module__", None) == "__main__":  # of an instance: its class's; of a TypeVar: its own
            name = getattr(value, "__qualname__", getattr(value, "__name__", type(value).__qualname__))
            raise pickle.PicklingError(f"{name} is defined in __main__, which is another in a worker: put it in a module, "
                                       "or install cloudpickle")
        return NotImplemented


class Starter:
    """Runs each initializer once in this process, as long as it is among the last that came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: collections.OrderedDict[str, Optional[str]] = collections.OrderedDict()

    def fault(self, token: str, start: Optional[bytes]) -> Optional[str]:
        """None if it has run, else how it failed."""
        if start is None:
            return None
        with self._lock:
            if token not in self._known:
                self._known[token] = self._run(start)
                while len(self._known) > STARTS_MAX:
                    self._known.popitem(last=False)
            return self._known[token]

    def _run(self, start: bytes) -> Optional[str]:
        try:
            initializer, arguments = pickle.loads(start)
            initializer(*arguments)
        except Interrupted:
            raise
        except BaseException:
            return traceback.format_exc()
        return None


def initial(token: str, start: Optional[bytes]) -> Optional[bytes]:
    """What a worker does before it is ready, so that no call's time has it in."""
    return None if start is None else pickle.dumps((token, start), 5)


def begin(path: str) -> None:
    """In a worker, before it is ready. How it failed is the result of its first call."""
    with open(path, "rb") as file:
        starter.fault(*pickle.load(file))


def pack(token: str, start: Optional[bytes], call: bytes) -> bytes:
    return pickle.dumps((token, start, call), 5)


def dump_error(error: BaseException) -> bytes:
    """Only what also comes back: a constructor with other arguments than the exception remembers does not."""
    try:
        data = dump(error)
        pickle.loads(data)
        return data
    except Exception:
        return dump(RemoteError("".join(traceback.format_exception_only(type(error), error)).strip()))


starter = Starter()


def perform(payload: Buffer) -> bytes:
    """In a worker. What the function raises is its result, and no failure of the task."""
    token, start, call = pickle.loads(payload)
    fault = starter.fault(token, start)
    if fault is not None:
        return pickle.dumps(("broken", fault), 5)
    try:
        function, arguments, named = pickle.loads(call)
        return pickle.dumps(("value", dump(function(*arguments, **named))), 5)
    except Interrupted:
        raise
    except BaseException as error:
        return pickle.dumps(("error", dump_error(error), "".join(traceback.format_exception(error))), 5)


def run_chunk(function: Callable[..., Any], chunk: list[tuple[Any, ...]]) -> list[Any]:
    """Of Executor.map."""
    return [function(*arguments) for arguments in chunk]


def tasks() -> Registry:
    """What a worker of calls runs: python3 -m warmpool --calls."""
    return Registry([Task(TYPE, perform, raw=True, wishes={})])
