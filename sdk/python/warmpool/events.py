"""What happens in the pool, as it happens: over a connection of its own, because the protocol has no other end of following.

What is not taken is not read: the daemon bounds what waits for a slow listener, and tells it how many are missing.
"""
from __future__ import annotations

import collections
import os
import threading
import weakref
from typing import Any, Callable, Optional

from .asking import Follow, Request
from .conversation import Conversation
from .futures import TaskFuture

EVENTS_MAX = 10_000  # read and not taken
Event = dict[str, Any]


class Happened:
    """Between who reads and who takes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: collections.deque[Event] = collections.deque()
        self.ended = False  # nothing more is put
        self.woken: Callable[[], Any] = lambda: None  # called by who puts

    def put(self, event: Event) -> None:
        """Blocks while there is no room."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or len(self._events) < EVENTS_MAX)
            self._events.append(event)
            self._changed.notify_all()
        self.woken()

    def end(self) -> None:
        with self._changed:
            self.ended = True
            self._changed.notify_all()
        self.woken()

    def take(self, wait: bool) -> Optional[Event]:
        """None at the end, or where none is there and who asks does not wait."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self.ended or self._events)
            event = self._events.popleft() if self._events else None
            self._changed.notify_all()
        return event


class Events:
    """Iterates over them. Threads: one takes; any may close. Ends with close(), with its client, and when nobody holds it any more."""

    def __init__(self, conversation: Conversation, types: tuple[str, ...], follow: bool, after: Optional[int]) -> None:
        """Begun when this returns."""
        self.happened, self._future = Happened(), TaskFuture()
        self._dropped = weakref.finalize(self, close, os.getpid(), conversation, self.happened)
        happened = self.happened
        self._future.add_done_callback(lambda _: happened.end())
        try:
            conversation.ask(Follow(self._future, happened.put, follow, after, ",".join(types) or None))
            if follow and after is None:
                begun = TaskFuture()
                conversation.ask(Request(begun, "types", ()))  # answered in the order of frames
                begun.result()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> Event:
        event = self.happened.take(wait=True)
        return self.last() if event is None else event

    def last(self) -> Event:
        """Raises how it ended: StopIteration, Refused, or Lost when the daemon does not come back."""
        if self._dropped.alive:
            self._future.result(0)
            self.close()
        raise StopIteration

    def close(self) -> None:
        self._dropped()

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def close(process: int, conversation: Conversation, happened: Happened) -> None:
    if os.getpid() != process:  # forked off: they are its parent's, and so is the lock
        return
    happened.end()  # before: who reads may wait for room
    conversation.close()
