"""What a client has open: each knows its frame, its answers, and whether it may be asked again on another connection."""
from __future__ import annotations

import json
from typing import Any, Callable, Optional, Protocol

from . import words
from .arenas import Arena, Arenas
from .errors import Refused, seconds_of
from .large import Descriptor, is_arena, mapped, sealed
from .link import Link
from .wishes import has_lasting_key
from .wire import Buffer, Frame, ProtocolError
from .words import Kind

DROPPED = words.CAUSES.index("dropped")


def check_size(payload: Buffer, link: Link) -> None:
    if len(payload) > link.payload_bytes_max:
        raise Refused(205, f"the payload has {len(payload)} bytes, at most {max(link.payload_bytes_max, link.large_bytes_max)} "
                      "(payload_bytes_max, of tasks also large_bytes_max); send a path instead, or raise it")


class Told(Protocol):
    """Who is told what becomes of it: a TaskFuture, or what an executor has in its place."""

    task: Optional[int]  # its id, once it was accepted

    def accept(self, task: int) -> None: ...
    def report(self, frame: Frame) -> None: ...
    def settle(self, frame: Frame) -> None: ...
    def finish(self, value: Any) -> None: ...
    def fail(self, error: BaseException) -> None: ...
    def cancelled(self) -> bool: ...


class Asked:
    """sent_once: a daemon may have it."""

    sent_once = False
    repeatable = True

    def __init__(self, future: Told) -> None:
        self.future = future

    def prepare(self, link: Link) -> None:
        """What takes long, before the lock under which frame() is called. Raises Refused."""

    def takes_long(self, link: Link) -> bool:
        """Does prepare()?"""
        return False

    def frame(self, link: Link) -> Frame:
        """Raises Refused for what this daemon would take for a broken protocol."""
        raise NotImplementedError

    def is_wanted_anew(self, answer: Frame) -> bool:
        """Is it to be sent again on the same connection, in the place of this answer?"""
        return False

    def take(self, frame: Frame) -> bool:
        """An answer. True if it is the last."""
        if frame.kind == Kind.REFUSED:
            self.future.fail(Refused(frame.at(0), frame.at(1, ""), seconds_of(frame.at(2))))
        elif frame.kind == Kind.SETTLED:
            self.future.settle(frame)
        elif frame.kind == Kind.PROGRESSED:
            self.future.report(frame)
            return False
        return True


class Submit(Asked):
    """With a key it is sent again as it was, because a daemon that lost its memory takes it anew. Without one it may have been
    accepted: never again; once it has an id it is awaited."""

    def __init__(self, future: Told, name: str, payload: Buffer, flags: int, meta: list[Any], keyed: bool,
                 arenas: Optional[Arenas] = None) -> None:
        super().__init__(future)
        # One is lent where it will be known that it is free again: the result comes here, and no key lets others ask for what was in it.
        self._arenas = arenas if flags & words.WAIT and not has_lasting_key(meta) else None
        self._arena: Optional[Arena] = None  # to be taken back when the task is done
        self.name, self.flags, self._meta, self.keyed = name, flags, meta, keyed
        self.repeatable = keyed
        self._payload: Optional[Buffer] = payload
        self._large: Optional[Descriptor] = None
        self._size = len(payload)
        self.on_accepted: Callable[[], Any] = lambda: None

    @property
    def waits(self) -> bool:
        return bool(self.flags & words.WAIT)

    def prepare(self, link: Link) -> None:
        if self._is_large(link):
            self._hand_over(link)

    def takes_long(self, link: Link) -> bool:
        return self._is_large(link)

    def _is_large(self, link: Link) -> bool:
        return self._large is not None or link.payload_bytes_max < self._size <= link.large_bytes_max

    def frame(self, link: Link) -> Frame:
        if self.sent_once:
            self._arena = None  # what reads it may go on without the connection
        if not self.keyed and self.future.task is not None:
            return Frame(Kind.AWAIT, flags=self.flags & words.PROGRESS, id=self.future.task)
        if self._is_large(link):
            return self._large_frame(link)
        check_size(self._payload or b"", link)
        return Frame(Kind.SUBMIT, flags=self.flags, type=link.type_number(self.name), meta=self._meta, payload=self._payload or b"")

    def _large_frame(self, link: Link) -> Frame:
        """Made once: over another connection the same one goes again."""
        if self._size > link.large_bytes_max:
            raise Refused(205, f"the payload has {self._size} bytes, and the daemon that came back takes at most {link.large_bytes_max} "
                          "by descriptor")
        self._hand_over(link)
        return Frame(Kind.SUBMIT, flags=self.flags, type=link.type_number(self.name), meta=[*self._meta, self._size],
                     descriptors=1, descriptor=self._large)

    def _hand_over(self, link: Link) -> None:
        try:
            if self._large is None:
                self._large = self._filled(self._payload or b"", link)
                self._payload = None
            elif not link.takes_arenas and is_arena(self._large.number):  # the daemon that came back takes none
                self._large = sealed(mapped(self._large.number, self._size))
        except OSError as error:
            raise Refused(110, f"the payload cannot be handed over: {error}") from error

    def _filled(self, payload: Buffer, link: Link) -> Descriptor:
        if self._arenas is not None and link.takes_arenas:
            self._arena = self._arenas.lend(payload)
        return sealed(payload) if self._arena is None else self._arena.descriptor

    def is_wanted_anew(self, answer: Frame) -> bool:
        """The daemon took this client for gone and cancelled the task, which freed its key; but here we are."""
        dropped = answer.kind == Kind.SETTLED and answer.at(0) == words.Verdict.CANCELLED and answer.at(1) == DROPPED
        return dropped and self.keyed and not self.future.cancelled()

    def take(self, frame: Frame) -> bool:
        if frame.kind == Kind.SETTLED:
            self._return_arena(frame)
        if frame.kind != Kind.ACCEPTED:
            return super().take(frame)
        self.future.accept(frame.id)
        if not self.keyed:
            self.repeatable, self._payload, self._large = True, None, None
        self.on_accepted()
        if not self.waits:
            self.future.finish(frame.id)
        return not self.waits


    def _return_arena(self, frame: Frame) -> None:
        """In one attempt, whose handler has returned: of an earlier one something may still be there that reads it, and what is dead is
        kept for a retry."""
        arena, self._arena = self._arena, None
        at_once = frame.at(0) == words.Verdict.DONE and (frame.round, frame.attempt) == (1, 1)
        if arena is not None and self._arenas is not None and at_once:
            self._arenas.take_back(arena)


class Await(Asked):
    def __init__(self, future: Told, task: int) -> None:
        super().__init__(future)
        self._task = task
        future.accept(task)

    def frame(self, link: Link) -> Frame:
        return Frame(Kind.AWAIT, flags=words.PROGRESS, id=self._task)


class Cancel(Asked):
    """Its result: (rung, state), as words."""

    def __init__(self, future: Told, task: int) -> None:
        super().__init__(future)
        self._task = task

    def frame(self, link: Link) -> Frame:
        return Frame(Kind.CANCEL, id=self._task)

    def take(self, frame: Frame) -> bool:
        if frame.kind != Kind.CANCELLED:
            return super().take(frame)
        self.future.finish((words.word(words.RUNGS, frame.at(0)), words.word(words.STATES, frame.at(1, 8))))
        return True


class Request(Asked):
    """A verb; its result is the document. One that changes something is not asked twice."""

    def __init__(self, future: Told, verb: str, arguments: tuple[Any, ...], payload: Buffer = b"") -> None:
        super().__init__(future)
        if verb not in words.VERBS:
            raise ValueError(f"no such verb: {verb}; there are {', '.join(words.VERBS)}")
        self.repeatable = verb in words.READING_VERBS
        self._meta, self._payload = [words.VERBS[verb], *arguments], payload

    def frame(self, link: Link) -> Frame:
        check_size(self._payload, link)
        return Frame(Kind.REQUEST, meta=self._meta, payload=self._payload)

    def take(self, frame: Frame) -> bool:
        if frame.kind != Kind.REPLY:
            return super().take(frame)
        try:
            document = json.loads(bytes(frame.payload))
        except ValueError as error:
            self.future.fail(ValueError(f"the daemon's reply is no document: {error}"))
        else:
            self.future.finish(document)
        return True


class Follow(Asked):
    """Events: on another connection they go on after the last one that came."""

    def __init__(self, future: Told, happened: Callable[[dict[str, Any]], Any], follow: bool, after: Optional[int],
                 types: Optional[str]) -> None:
        super().__init__(future)
        self._happened, self._follow, self._after, self._types = happened, follow, after, types

    def frame(self, link: Link) -> Frame:
        return Frame(Kind.REQUEST, meta=[words.VERBS["events"], self._follow, self._after, self._types])

    def take(self, frame: Frame) -> bool:
        if frame.kind == Kind.REPLY:
            self.future.finish(None)
            return True
        if frame.kind != Kind.EVENT:
            return super().take(frame)
        try:
            event = json.loads(bytes(frame.payload))
        except ValueError as error:
            raise ProtocolError(f"an event that is no document: {error}") from None
        self._after = frame.id
        self._happened(event)
        return False
