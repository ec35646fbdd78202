"""The client: submits tasks and takes what becomes of them."""
from __future__ import annotations

import collections
import concurrent.futures
import itertools
import secrets
import weakref
from typing import Any, Iterable, Iterator, Optional, Union

from . import content, words
from .asking import Await, Cancel, Follow, Request, Submit, Told
from .conversation import Conversation
from .events import Events
from .futures import Partial, Progress, TaskFuture
from .tasks import Task
from .wire import Buffer
from .wishes import KEY, check_name, meta_of

Type = Union[str, Task]
AS_IT_WAS = object()  # the payload of a dead letter


class Client:
    """A connection to a daemon. Threads: any may use it; one of its own reads.

    socket: its path; without one $WARMPOOL_SOCKET, else where this user's daemon listens. reconnect: for how many seconds a
    daemon that has gone may come back; 0 for a client that wants to know at once. arena_bytes_max: of memory that is kept for some
    seconds, for the next large payload of the same size; 0 for none.
    Raises NoDaemon, NotTrusted, Refused or ProtocolError.
    """

    def __init__(self, socket: Optional[str] = None, *, name: str = "python", connect_timeout: float = 5.0,
                 reconnect: float = 30.0, arena_bytes_max: int = 1 << 30) -> None:
        self._place = socket, name, connect_timeout, reconnect
        self._conversation = Conversation(*self._place, arena_bytes_max)
        self._followed: weakref.WeakSet[Events] = weakref.WeakSet()
        self._key_begin, self._key_numbers = secrets.token_hex(12), itertools.count()  # to ask the system for each costs a call

    def submit(self, type: Type, payload: Any = b"", *, progress: Optional[Progress] = None, partial: Optional[Partial] = None,
               keep_result: bool = False,
               cancel_on_disconnect: bool = False, auto_key: bool = True, **wishes: Any) -> TaskFuture:
        """A task. wishes: priority (0 first .. 100), timeout, deadline, expiry, delay (seconds or timedelta), run_at (datetime),
        retries, crashes_max, key, tenant, labels, durability ("full", "relaxed", "none").

        progress: called with how much is done (0 to 1) and a text; partial: with what there is of the result so far, where the handler
        gives such (ctx.progress(..., partial=...)); a later one stands for those before, and the result for all.

        auto_key: without a key of yours a random one lets it be sent again over another connection and be one task.
        Blocks only while the daemon does not read. Errors: in the future.
        """
        future = TaskFuture(progress, partial)
        self._ask(self._submission(future, type, payload, keep_result, cancel_on_disconnect, auto_key, wishes))
        return future

    def give(self, told: Told, type: str, payload: Buffer, meta: list[Any]) -> None:
        """As submit, for who has no need of a future, and made the meta once for many (wishes.meta_of). Never blocks: who calls it bounds
        what is open. It says received() of each result."""
        keyed = len(meta) > KEY and meta[KEY] is not None
        self._conversation.ask(Submit(told, type, payload, words.WAIT, meta, keyed, self._conversation.arenas))

    def received(self, task: int, count: int) -> None:
        """The result of that task, of so many bytes, is here: the daemon need not keep it."""
        self._conversation.acknowledge(task, count)

    def reads_here(self) -> bool:
        """In the thread that reads, where callbacks run: who waits for this client there waits for ever."""
        return self._conversation.reads_here()

    def enqueue(self, type: Type, payload: Any = b"", *, auto_key: bool = True, timeout_accept: Optional[float] = None,
                **wishes: Any) -> int:
        """Submits without waiting for the result: its id, once the daemon keeps it. wait(id) fetches the result later."""
        future = TaskFuture()
        asked = self._submit(future, type, payload, 0, auto_key, wishes)
        self._ask(asked)
        return self._accepted(asked, future.result(timeout_accept), wishes)

    def run(self, type: Type, payload: Any = b"", *, wait: Optional[float] = None, **options: Any) -> Any:
        """Submits and waits: the result. wait: for how many seconds; then TimeoutError, and the task goes on."""
        return self.submit(type, payload, **options).result(wait)

    def wait(self, task: int, progress: Optional[Progress] = None, partial: Optional[Partial] = None) -> TaskFuture:
        """The result of a task that somebody submitted."""
        future = TaskFuture(progress, partial)
        self._ask(self._awaiting(future, task))
        return future

    def cancel(self, task: int, timeout: Optional[float] = None) -> tuple[str, str]:
        """Cancels a task, also one that runs, and waits until that took effect: (what worked, its state).
        Raises Refused, with code 305 where it had settled."""
        future = TaskFuture()
        self._ask(Cancel(future, task))
        done: tuple[str, str] = future.result(timeout)
        return done

    def map(self, type: Type, payloads: Iterable[Any], *, window: int = 64, ordered: bool = True, wait: Optional[float] = None,
            **options: Any) -> Iterator[Any]:
        """Results of many tasks, of which at most `window` are open at once. ordered=False: as they come. wait: for how many seconds
        for each next one; then TimeoutError. A task that is not done raises; what is open then is cancelled."""
        if window < 1:
            raise ValueError(f"window is at least 1, not {window}")
        source = iter(payloads)
        flight: collections.deque[TaskFuture] = collections.deque()
        try:
            flight.extend(self.submit(type, each, **options) for each in itertools.islice(source, window))
            while flight:
                future = flight[0] if ordered else first_of(flight, wait)
                value = future.result(wait)
                flight.remove(future)
                flight.extend(self.submit(type, each, **options) for each in itertools.islice(source, 1))
                yield value
        finally:
            for future in flight:
                future.cancel()

    def request(self, verb: str, *arguments: Any, timeout: Optional[float] = None) -> dict[str, Any]:
        """A verb of docs/protocol.md, section 6, and its document: request("scale", "images", 1, 2)."""
        future = TaskFuture()
        self._ask(Request(future, verb, arguments))
        document: dict[str, Any] = future.result(timeout)
        return document

    def retry(self, task: int, payload: Any = AS_IT_WAS, timeout: Optional[float] = None) -> dict[str, Any]:
        """A new round of a dead letter, with another payload where one is given."""
        future = TaskFuture()
        self._ask(retry_of(future, task, payload))
        document: dict[str, Any] = future.result(timeout)
        return document

    def status(self) -> dict[str, Any]:
        return self.request("status")

    def workers(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.request("workers")["workers"]
        return rows

    def events(self, *types: str, follow: bool = True, after: Optional[int] = None) -> Events:
        """What happens in the pool, from now on (or after an event's number), over a connection of its own. Begun when this returns;
        ends with its close(), or with this client. A "gap" says that some are missing. Raises Lost when the daemon does not come back."""
        made = Events(Conversation(*self._place), types, follow, after)
        self._followed.add(made)
        return made

    def follow(self, asked: Union[Follow, Request]) -> None:
        """For who is told of the answer where it is read, and waits for nothing."""
        self._conversation.ask(asked)

    def close(self) -> None:
        """What is open ends as Lost; the tasks go on, but those with cancel_on_disconnect."""
        for events in list(self._followed):
            events.close()
        self._conversation.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # What is asked, also by the client for asyncio.

    def _submission(self, future: TaskFuture, type: Type, payload: Any, keep_result: bool, cancel_on_disconnect: bool, auto_key: bool,
                    wishes: dict[str, Any]) -> Submit:
        asked = self._submit(future, type, payload, words.WAIT | words.PROGRESS * future.reports | words.KEEP_RESULT * keep_result
                             | words.CANCEL_ON_DISCONNECT * cancel_on_disconnect, auto_key, wishes)
        if not keep_result:
            future.add_done_callback(self._acknowledge)
        future._tell_cancel = lambda: self._cancel_now(future)
        asked.on_accepted = lambda: self._cancel_now(future) if future.cancelled() else None
        return asked

    def _awaiting(self, future: TaskFuture, task: int) -> Await:
        future._tell_cancel = lambda: self._cancel_now(future)
        return Await(future, task)

    def _accepted(self, asked: Submit, task: int, wishes: dict[str, Any]) -> int:
        """Of enqueue: its id is here."""
        if asked.keyed and wishes.get("key") is None:
            self._conversation.acknowledge_key(task)
        return task

    def _submit(self, future: TaskFuture, type: Type, payload: Any, flags: int, auto_key: bool, wishes: dict[str, Any]) -> Submit:
        if isinstance(type, Task):
            wishes, type = {**type.wishes, **wishes}, type.name
        check_name(type)
        data, label = content.encode(payload)
        key = f"{self._key_begin}{next(self._key_numbers):08x}" if auto_key and wishes.get("key") is None else None
        keyed = key is not None or wishes.get("key") is not None
        return Submit(future, type, data, flags | label, meta_of(wishes, key), keyed, self._conversation.arenas)

    def _ask(self, asked: Union[Submit, Await, Cancel, Request, Follow]) -> None:
        self._conversation.ask(asked)
        self._conversation.make_room()

    def _cancel_now(self, future: TaskFuture) -> None:
        if future.task is not None:
            self._conversation.ask(Cancel(TaskFuture(), future.task))

    def _acknowledge(self, future: concurrent.futures.Future[Any]) -> None:
        settled = getattr(future, "settled", None)
        if settled is not None:
            self._conversation.acknowledge(settled.task, len(settled.payload))


def retry_of(future: TaskFuture, task: int, payload: Any) -> Request:
    if payload is AS_IT_WAS:
        return Request(future, "dead-retry", ([task],))
    data, label = content.encode(payload)
    return Request(future, "dead-retry", ([task], None, None, None, None, label.name.lower()), data)


def first_of(flight: Iterable[TaskFuture], timeout: Optional[float]) -> TaskFuture:
    done, _ = concurrent.futures.wait(flight, timeout, return_when=concurrent.futures.FIRST_COMPLETED)
    if not done:
        raise TimeoutError("no result in time")
    found: Any = next(iter(done))
    assert isinstance(found, TaskFuture)
    return found
