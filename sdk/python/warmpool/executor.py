"""warmpool.Executor: a concurrent.futures.Executor whose workers are warm, and whose pool outlives them."""
from __future__ import annotations

import atexit
import concurrent.futures
import itertools
import os
import secrets
import threading
import weakref
from typing import Any, Callable, Iterable, Iterator, Optional

from . import calls
from .asking import Follow, Request
from .client import Client
from .futures import TaskFuture
from .private_daemon import PrivateDaemon
from .pump import Pump

FOR_EVER = 3_660 * 86_400  # seconds; the longest timeout there is
live: weakref.WeakSet[Pump] = weakref.WeakSet()
# States of a worker that has been ready; one that is being killed ("recovery") may have been, and its exit is still to come.
SERVING = frozenset({"ready", "running", "draining", "completing", "recovery"})
ending = threading.Event()  # the interpreter ends: nobody would end another daemon


class Executor(concurrent.futures.Executor):
    """Stands in for ProcessPoolExecutor; README.md lists what differs.

    max_workers: [cores]; processes of a private daemon, or how many calls are open at once at the daemon of `socket`, which needs
    a class for them (README.md). timeout: seconds that a call may take. crashes_max: how many workers a call may cost before it
    fails with WorkerDied [1: it is not run again]. wishes: more of Client.submit's, for each call.
    Raises NoDaemon where no daemon is found or can be started, RuntimeError once the interpreter ends.
    """

    def __init__(self, max_workers: Optional[int] = None, mp_context: None = None, initializer: Optional[Callable[..., Any]] = None,
                 initargs: tuple[Any, ...] = (), *, max_tasks_per_child: Optional[int] = None, socket: Optional[str] = None,
                 timeout: Optional[float] = None, crashes_max: int = 1, **wishes: Any) -> None:
        check(max_workers, mp_context, initializer, max_tasks_per_child, socket)
        if ending.is_set():
            raise RuntimeError("cannot make an executor at interpreter shutdown")
        self._workers = max_workers or os.cpu_count() or 1
        self._token = secrets.token_hex(8)
        self._start = None if initializer is None else calls.dump((initializer, initargs))
        self._daemon = daemon = None if socket is not None else PrivateDaemon(self._workers, max_tasks_per_child, calls.initial(self._token, self._start))
        client = Client(socket) if daemon is None else daemon.connect()
        wishes = {"timeout": timeout or FOR_EVER, "retries": 0, "crashes_max": crashes_max, **wishes}
        self._pump = Pump(client, self._workers, wishes, lambda: close(client, daemon), abort_of(daemon))
        if daemon is not None:
            watch(client, daemon, self._pump)
        live.add(self._pump)
        self._dropped = weakref.finalize(self, self._pump.shutdown, False, False)
        self._dropped.atexit = False  # the end of the interpreter waits, see finish_all

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        self._pump.check()
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        try:
            payload = calls.pack(self._token, self._start, calls.dump((fn, args, kwargs)))
        except Exception as error:  # cannot travel: the future's, as in the standard library
            future.set_running_or_notify_cancel()
            future.set_exception(error)
            return future
        self._pump.add(future, payload)
        return future

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], timeout: Optional[float] = None,
            chunksize: int = 1) -> Iterator[Any]:
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout)
        chunks = list(in_chunks(zip(*iterables), chunksize))
        results = super().map(calls.run_chunk, itertools.repeat(fn, len(chunks)), chunks, timeout=timeout)
        return flattened(results)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._dropped.detach()
        self._pump.shutdown(wait, cancel_futures)


def check(max_workers: Optional[int], mp_context: Any, initializer: Any, tasks_max: Any, socket: Optional[str]) -> None:
    if max_workers is not None and max_workers <= 0:
        raise ValueError("max_workers must be greater than 0")
    if mp_context is not None:
        raise ValueError("mp_context has no meaning here: workers are started by the daemon, never forked from this process")
    if initializer is not None and not callable(initializer):
        raise TypeError("initializer must be a callable")
    if tasks_max is not None and not isinstance(tasks_max, int):
        raise TypeError("max_tasks_per_child must be an integer")
    if tasks_max is not None and tasks_max <= 0:
        raise ValueError("max_tasks_per_child must be >= 1")
    if tasks_max is not None and socket is not None:
        raise ValueError("max_tasks_per_child is the option max_tasks of the class, at a daemon that is not the executor's own")


def in_chunks(source: Iterator[tuple[Any, ...]], count: int) -> Iterator[list[tuple[Any, ...]]]:
    while chunk := list(itertools.islice(source, count)):
        yield chunk


def flattened(results: Iterator[list[Any]]) -> Iterator[Any]:
    for chunk in results:
        chunk.reverse()
        while chunk:  # drops what was yielded
            yield chunk.pop()


def watch(client: Client, daemon: PrivateDaemon, pump: Pump) -> None:
    """Where none is there, and the last one ended before it was ready and is given up, no call would ever get past that. One that was
    ready and is given up was ended by its calls, and the next one may serve."""
    alive: set[str] = set()  # by its place
    unready = False  # the last one that ended

    def looked(answer: concurrent.futures.Future[Any]) -> None:
        """Which ones are ready, from the daemon itself. Whether the last one that ended was, nobody can tell: one that is given up is
        tried again, and what becomes of that is an event."""
        nonlocal unready
        if answer.exception() is None:
            alive.clear()
            alive.update(row["id"] for row in answer.result()["workers"] if row["state"] in SERVING)
            unready = False

    def look() -> None:
        asked = TaskFuture()
        asked.add_done_callback(looked)
        client.follow(Request(asked, "workers", ()))

    def happened(event: dict[str, Any]) -> None:
        nonlocal unready
        if event["event"] == "gap":
            look()
        elif event["event"] == "worker-ready":
            alive.add(event["worker"])
        elif event["event"] == "worker-exited":
            unready = event["worker"] not in alive
            alive.discard(event["worker"])
        elif event["event"] == "recovery-given-up" and unready and not alive:
            pump.shatter(f"the workers do not start: {daemon.last_words()}")

    client.follow(Follow(TaskFuture(), happened, True, 0, "worker-ready,worker-exited,recovery-given-up"))


def close(client: Client, daemon: Optional[PrivateDaemon]) -> None:
    client.close()
    if daemon is not None:
        daemon.stop()


def abort_of(daemon: Optional[PrivateDaemon]) -> Callable[[], None]:
    """What a broken pool does, as in the standard library: it ends what runs. A daemon of others goes on."""
    return (lambda: None) if daemon is None else daemon.abort


def finish_all() -> None:
    """At the end of the interpreter: what was submitted is finished, as in the standard library."""
    ending.set()
    for pump in list(live):
        pump.shutdown(True, False)


atexit.register(finish_all)
