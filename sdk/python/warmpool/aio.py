"""The client for asyncio. It is the same one, whose thread reads; what is awaited is woken from there. The loop waits for nothing
that takes long: it asks without waiting for room, and hands what has to be copied first to a thread."""
from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import functools
import itertools
import threading
from typing import Any, AsyncIterator, Callable, Generator, Iterable, Optional, TypeVar

from .asking import Asked, Cancel, Request
from .client import AS_IT_WAS, Client, Type, retry_of
from .events import Event, Events
from .futures import Partial, Progress, Settled, TaskFuture

ROOM_SECONDS = 0.005  # between two looks whether the daemon reads again
T = TypeVar("T")


class AsyncTask:
    """A task that was submitted. `await task` gives its result. Cancelling who awaits it cancels the task: shield it
    (asyncio.shield) where it shall go on."""

    def __init__(self, future: TaskFuture) -> None:
        self.future = future
        self._wrapped: asyncio.Future[Any] = asyncio.wrap_future(future)
        self._told: Optional[asyncio.Event] = None  # there is an id, or will be none; made for who waits for it

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wrapped.__await__()

    async def accepted(self) -> int:
        """Its id, once the daemon keeps it. No thread waits for that: tasks may be many, and a daemon may be away for long."""
        if self._told is None:
            self._told = asyncio.Event()
            self.future.when_accepted(functools.partial(call_in, asyncio.get_running_loop(), self._told.set))
        await self._told.wait()
        if self.future.task is None:
            await asyncio.wait([self._wrapped])
            self._wrapped.result()  # raises why
        assert self.future.task is not None
        return self.future.task

    async def within(self, seconds: Optional[float]) -> Any:
        """Its result; TimeoutError if it is not there in time, and the task goes on."""
        if seconds is not None:
            try:
                await asyncio.wait([self._wrapped], timeout=seconds)
            except asyncio.CancelledError:
                self.cancel()
                raise
            if not self._wrapped.done():
                raise TimeoutError("no result in time")
        return await self

    def cancel(self) -> bool:
        return self.future.cancel()

    def done(self) -> bool:
        return self.future.done()

    @property
    def settled(self) -> Optional[Settled]:
        return self.future.settled


class AsyncEvents:
    """What Client.events gives, for `async for`. Ends with close(), with its client, or when nobody holds it any more."""

    def __init__(self, events: Events) -> None:
        self._events, self._changed = events, asyncio.Event()
        events.happened.woken = functools.partial(call_in, asyncio.get_running_loop(), self._changed.set)

    def __aiter__(self) -> AsyncEvents:
        return self

    async def __anext__(self) -> Event:
        while True:
            self._changed.clear()
            ended = self._events.happened.ended
            event = self._events.happened.take(wait=False)
            if event is not None:
                return event
            if ended:
                try:
                    return self._events.last()
                except StopIteration:
                    raise StopAsyncIteration from None
            await self._changed.wait()

    async def close(self) -> None:
        await in_own_thread(self._events.close)

    async def __aenter__(self) -> AsyncEvents:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()


class AsyncClient:
    """`async with AsyncClient() as client:` or connect(). Arguments and meanings: those of Client; `progress` and `partial` are called in the loop."""

    def __init__(self, socket: Optional[str] = None, **options: Any) -> None:
        self._make = functools.partial(Client, socket, **options)
        self._client: Optional[Client] = None

    async def connect(self) -> AsyncClient:
        self._client = await in_thread(self._make)
        return self

    @property
    def client(self) -> Client:
        if self._client is None:
            raise RuntimeError("not connected: await connect(), or use `async with`")
        return self._client

    async def submit(self, type: Type, payload: Any = b"", *, progress: Optional[Progress] = None, partial: Optional[Partial] = None,
                     keep_result: bool = False,
                     cancel_on_disconnect: bool = False, auto_key: bool = True, **wishes: Any) -> AsyncTask:
        """Waits only while the daemon does not read."""
        future = TaskFuture(in_loop(progress), in_loop(partial))
        asked = self.client._submission(future, type, payload, keep_result, cancel_on_disconnect, auto_key, wishes)
        await self._ask(asked, future)
        return AsyncTask(future)

    async def run(self, type: Type, payload: Any = b"", *, wait: Optional[float] = None, **options: Any) -> Any:
        return await (await self.submit(type, payload, **options)).within(wait)

    async def enqueue(self, type: Type, payload: Any = b"", *, auto_key: bool = True, timeout_accept: Optional[float] = None,
                      **wishes: Any) -> int:
        future = TaskFuture()
        asked = self.client._submit(future, type, payload, 0, auto_key, wishes)
        return self.client._accepted(asked, await self._answer(asked, future, timeout_accept), wishes)

    def wait(self, task: int, progress: Optional[Progress] = None, partial: Optional[Partial] = None) -> AsyncTask:
        future = TaskFuture(in_loop(progress), in_loop(partial))
        self.client._conversation.ask(self.client._awaiting(future, task))
        return AsyncTask(future)

    async def cancel(self, task: int, timeout: Optional[float] = None) -> tuple[str, str]:
        future = TaskFuture()
        done: tuple[str, str] = await self._answer(Cancel(future, task), future, timeout)
        return done

    async def map(self, type: Type, payloads: Iterable[Any], *, window: int = 64, ordered: bool = True, wait: Optional[float] = None,
                  **options: Any) -> AsyncIterator[Any]:
        if window < 1:
            raise ValueError(f"window is at least 1, not {window}")
        flight: collections.deque[AsyncTask] = collections.deque()
        source = iter(payloads)
        try:
            more = True
            while more or flight:
                for payload in itertools.islice(source, window - len(flight)):
                    flight.append(await self.submit(type, payload, **options))
                more = len(flight) == window
                if flight:
                    task = flight[0] if ordered else await first_of(flight, wait)
                    value = await task.within(wait)
                    flight.remove(task)
                    yield value
        finally:
            for each in flight:
                each.cancel()

    async def request(self, verb: str, *arguments: Any, timeout: Optional[float] = None) -> dict[str, Any]:
        future = TaskFuture()
        document: dict[str, Any] = await self._answer(Request(future, verb, arguments), future, timeout)
        return document

    async def retry(self, task: int, payload: Any = AS_IT_WAS, timeout: Optional[float] = None) -> dict[str, Any]:
        future = TaskFuture()
        document: dict[str, Any] = await self._answer(retry_of(future, task, payload), future, timeout)
        return document

    async def status(self) -> dict[str, Any]:
        return await self.request("status")

    async def workers(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await self.request("workers"))["workers"]
        return rows

    async def events(self, *types: str, follow: bool = True, after: Optional[int] = None) -> AsyncEvents:
        return AsyncEvents(await in_thread(functools.partial(self.client.events, *types, follow=follow, after=after)))

    async def close(self) -> None:
        if self._client is not None:
            await in_own_thread(self._client.close)

    async def __aenter__(self) -> AsyncClient:
        return await self.connect()

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def _ask(self, asked: Asked, future: TaskFuture) -> None:
        conversation = self.client._conversation
        try:
            if conversation.takes_long(asked):
                await in_thread(functools.partial(conversation.ask, asked))
            else:
                conversation.ask(asked)
            while conversation.is_crowded():
                await asyncio.sleep(ROOM_SECONDS)
        except BaseException:
            future.cancel()
            raise

    async def _answer(self, asked: Asked, future: TaskFuture, timeout: Optional[float]) -> Any:
        await self._ask(asked, future)
        return await asyncio.wait_for(asyncio.wrap_future(future), timeout)


async def in_thread(call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, call)


async def in_own_thread(call: Callable[[], T]) -> T:
    """For what must not wait until others leave the loop's threads: these may be waiting for it."""
    done: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        done.set_running_or_notify_cancel()  # from here on it cannot be cancelled
        try:
            done.set_result(call())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="warmpool-close", daemon=True).start()
    return await asyncio.wrap_future(done)


async def first_of(flight: Iterable[AsyncTask], seconds: Optional[float]) -> AsyncTask:
    await asyncio.wait([each._wrapped for each in flight], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for each in flight:
        if each._wrapped.done():
            return each
    raise TimeoutError("no result in time")


def in_loop(callback: Optional[Callable[..., Any]]) -> Optional[Callable[..., Any]]:
    return None if callback is None else functools.partial(call_in, asyncio.get_running_loop(), callback)


def call_in(loop: asyncio.AbstractEventLoop, call: Callable[..., Any], *arguments: Any) -> None:
    try:
        loop.call_soon_threadsafe(call, *arguments)
    except RuntimeError:  # the loop has ended
        pass
