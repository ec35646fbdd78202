"""The client for asyncio. It is the same one, whose thread reads; what is awaited is woken from there."""
from __future__ import annotations

import asyncio
import collections
import functools
from typing import Any, AsyncIterator, Callable, Generator, Iterable, Optional, TypeVar

from .client import AS_IT_WAS, Client, Type
from .futures import Settled, TaskFuture

T = TypeVar("T")


class AsyncTask:
    """A task that was submitted. `await task` gives its result. Cancelling who awaits it cancels the task: shield it
    (asyncio.shield) where it shall go on."""

    def __init__(self, future: TaskFuture) -> None:
        self.future = future
        self._wrapped: asyncio.Future[Any] = asyncio.wrap_future(future)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wrapped.__await__()

    async def accepted(self) -> int:
        """Its id, once the daemon keeps it."""
        return await in_thread(self.future.accepted)

    def cancel(self) -> bool:
        return self.future.cancel()

    def done(self) -> bool:
        return self.future.done()

    @property
    def settled(self) -> Optional[Settled]:
        return self.future.settled


class AsyncClient:
    """`async with AsyncClient() as client:` or connect(). Arguments and meanings: those of Client."""

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

    async def submit(self, type: Type, payload: Any = b"", **options: Any) -> AsyncTask:
        """Waits only while the daemon does not read."""
        conversation = self.client._conversation
        if conversation.is_crowded():
            await in_thread(conversation.make_room)
        return AsyncTask(self.client.submit(type, payload, **options))

    async def run(self, type: Type, payload: Any = b"", **options: Any) -> Any:
        return await (await self.submit(type, payload, **options))

    async def enqueue(self, type: Type, payload: Any = b"", **options: Any) -> int:
        return await in_thread(functools.partial(self.client.enqueue, type, payload, **options))

    def wait(self, task: int) -> AsyncTask:
        return AsyncTask(self.client.wait(task))

    async def cancel(self, task: int) -> tuple[str, str]:
        return await in_thread(functools.partial(self.client.cancel, task))

    async def map(self, type: Type, payloads: Iterable[Any], *, window: int = 64, **options: Any) -> AsyncIterator[Any]:
        """Results in the order of the payloads; at most `window` tasks are open at once. What is open at an error is cancelled."""
        flight: collections.deque[AsyncTask] = collections.deque()
        source = iter(payloads)
        try:
            more = True
            while more or flight:
                while more and len(flight) < window:
                    try:
                        flight.append(await self.submit(type, next(source), **options))
                    except StopIteration:
                        more = False
                if flight:
                    value = await flight[0]
                    flight.popleft()
                    yield value
        finally:
            for each in flight:
                each.cancel()

    async def request(self, verb: str, *arguments: Any) -> dict[str, Any]:
        return await in_thread(functools.partial(self.client.request, verb, *arguments))

    async def retry(self, task: int, payload: Any = AS_IT_WAS) -> dict[str, Any]:
        return await in_thread(functools.partial(self.client.retry, task, payload))

    async def status(self) -> dict[str, Any]:
        return await self.request("status")

    async def close(self) -> None:
        if self._client is not None:
            await in_thread(self._client.close)

    async def __aenter__(self) -> AsyncClient:
        return await self.connect()

    async def __aexit__(self, *_: Any) -> None:
        await self.close()


async def in_thread(call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, call)
