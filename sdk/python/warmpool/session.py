"""A worker's half of the conversation: greets, takes what it is given, answers recalls and cancels at once.

One thread at a time reads: the main one, and the watcher while a handler runs long there (watcher.py), so that a cancel or a
recall is answered while one runs. The watcher needs the interpreter lock for a moment: a handler in C that keeps the lock keeps
it from that, and the daemon's SIGTERM and kill come after their graces.
"""
from __future__ import annotations

import collections
import os
import threading
import time
from typing import Any, Callable, Optional, Union

from . import rules, wire
from .bell import Bell, Ear
from .channel import Channel
from .context import Context
from .interruption import Interruption
from .late import Late
from .kept_arenas import KeptArenas, Lent
from .large import Descriptor, SealedBody, view_of
from .page import Page
from .start import Start
from .streams import SocketStream
from .wire import Buffer, Frame, ProtocolError, about
from .words import COME_AGAIN, Content, Feature, Kind, RETURNED

Key = tuple[int, int, int, int]
DEADLINE, CANCELLED = 15, 13  # end causes
SAID_WITH = {Kind.PROGRESS: Feature.PROGRESS, Kind.REPORT: Feature.REPORT, Kind.CHECKPOINT: Feature.CHECKPOINT}
UNSENT_BYTES_MAX = 1 << 20
UNREAD_SECONDS = 0.001


class HungUp(Exception):
    """The daemon has gone before it said welcome."""


class TurnedAway(ProtocolError):
    """The daemon answered hello with an error. later: it may take this worker another time."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"not welcome: {text} ({code})")
        self.later = 100 <= code < 200


class Attempt:
    """One that is in hand. A payload that came as a descriptor is a memoryview. Raises OSError or ValueError where it cannot be taken."""

    def __init__(self, assign: Frame, type_name: str, session: Session) -> None:
        self.key, self.content = assign.key, assign.flags & 3
        payload, left = bytes(assign.payload), assign.at(5)
        if left > len(payload):
            raise ProtocolError(f"assign announces a checkpoint of {left} bytes in a payload of {len(payload)}")
        self.payload: Union[bytes, memoryview] = payload[:len(payload) - left]
        self._lent: Optional[Lent] = None
        if assign.descriptor is not None:
            self.payload = self._opened(assign.descriptor, assign.at(7), session.arenas)
        self.ctx = Context(assign, type_name, session, payload[len(payload) - left:], assign.at(6))


    def _opened(self, came: Descriptor, size: int, arenas: KeptArenas) -> memoryview:
        self._lent = arenas.lend(came, size)
        return view_of(came, size) if self._lent is None or self._lent.view is None else self._lent.view

    @property
    def is_lent(self) -> bool:
        """Its payload is in memory that is filled anew when it is done."""
        return self._lent is not None

    def let_go(self) -> None:
        """Order: before *done* is sent, when nothing here has its payload any more. Raises OSError."""
        if self._lent is not None:
            self.payload = b""
            self._lent.let_go()


class Session:
    """Threads: attend() is called by one at a time, the rest by any. `changed` is rung whenever there is something
    for the main thread to look at that it did not do itself."""

    def __init__(self, start: Start, name: str, interruption: Optional[Interruption] = None) -> None:
        self.channel = Channel(start.stream, rules.FOR_WORKER)
        self.changed = Bell()
        self.retiring, self.interruption = False, interruption or Interruption()
        self.come_again, self.gone = False, False  # retired because the daemon ends; there is none any more
        self.concurrency = start.concurrency
        self.fault: Optional[str] = None
        self.ended: Callable[[], None] = lambda: None  # called by who reads, when there is no daemon any more
        self._start, self._name, self._leaving = start, name, False
        self._main, self._ear = threading.get_ident(), self.ear(self.changed)
        self._read_at = self._beat_due = 0.0
        self._lock = threading.Lock()
        self._waiting: collections.deque[Attempt] = collections.deque()
        self._begun: dict[Key, Attempt] = {}
        self._types: dict[int, str] = {}
        self._page: Optional[Page] = None
        self._late = Late()
        self.arenas = KeptArenas()
        self.features, self.heartbeat, self.result_bytes_max, self.large_bytes_max = 0, 5.0, 1 << 20, 0

    def greet(self) -> None:
        """Raises ProtocolError when the daemon does not welcome this worker."""
        wanted = Feature.CREDITS | Feature.CANCEL | Feature.PROGRESS | Feature.REPORT | Feature.DIRECTORY | Feature.CHECKPOINT | Feature.PARTIAL
        if isinstance(self.channel.stream, SocketStream):
            wanted |= Feature.RECALL | Feature.DESCRIPTORS | Feature.PAGE | Feature.LARGE
            self.channel.stream.takes_descriptors = True
        meta = [1, wire.VERSION, wire.VERSION, int(wanted), self._name, os.getpid()]
        if self._start.worker_class:
            wanted |= Feature.REGISTERED
            meta[3:] = [int(wanted), self._name, os.getpid(), self._start.worker_class, list(self._start.types), self.concurrency]
        self.channel.send(Frame(Kind.HELLO, id=self._start.worker, token=self._start.token, credits=self._start.credits, meta=meta))
        welcome = self.channel.receive()
        if welcome is None:
            raise HungUp("the daemon hung up")
        if welcome.kind == Kind.ERROR:
            raise TurnedAway(welcome.at(0, 0), welcome.at(1, ""))
        if welcome.kind != Kind.WELCOME:
            raise ProtocolError(f"not welcome: {welcome.at(1, '')} ({welcome.at(0)})")
        if welcome.at(0, wire.VERSION) != wire.VERSION:
            raise ProtocolError(f"the daemon speaks version {welcome.at(0)} of the protocol, which was not offered")
        self.features, self.channel.body_bytes_max = int(wanted) & welcome.at(1), welcome.at(2)
        self.channel.features = self.features
        self.heartbeat, self.result_bytes_max = welcome.at(5) / 1e9 or 5.0, welcome.at(7) or welcome.at(2)
        self._map_page(welcome)
        large = bool(self.features & Feature.LARGE)
        self.large_bytes_max = welcome.at(8) if large else 0
        self.channel.stream.takes_descriptors = large

    def begin(self) -> None:
        """From here on the daemon is answered, so whoever it talks to must be ready for its SIGTERM."""
        self._beat_due = time.monotonic() + self.heartbeat
        self._act()  # on what came along with welcome

    def leave(self) -> None:
        """Of a worker that joined by itself: finishes what it has and wants no more. Once."""
        with self._lock:
            if not self._leaving and not self.retiring and self.features & Feature.REGISTERED:
                self._leaving = True
                self.channel.send(Frame(Kind.LEAVE))

    def lost(self) -> None:
        """There is no daemon any more: what waits is nobody's, what runs is told. By who reads."""
        with self._lock:
            self.gone = True
            self._waiting.clear()
            begun = list(self._begun.values())
        for attempt in begun:
            attempt.ctx.cancel(CANCELLED)

    def close(self) -> None:
        self.channel.hang_up()
        self.channel.close()

    def _map_page(self, welcome: Frame) -> None:
        """Where it cannot be had, beats go by frames."""
        descriptors = self.channel.stream.descriptors
        if not welcome.descriptors or not descriptors:
            return
        descriptor = descriptors.popleft()
        if not self.features & Feature.PAGE:
            return os.close(descriptor)
        try:
            self._page = Page(descriptor, welcome.id or self._start.worker)
        except (OSError, ValueError):
            self._page = None

    def forget_page(self) -> None:
        """In a process that a handler forked: it is shared with the worker."""
        self._page = None

    # What the working threads call.

    def next(self) -> Optional[Attempt]:
        """The attempt to begin now, in the order given; None while as many run as shall, or none waits."""
        with self._lock:
            if not self._waiting or len(self._begun) >= self.concurrency:
                return None
            attempt = self._waiting.popleft()
            self._begun[attempt.key] = attempt
            attempt.ctx.begin()
            if self._page is not None:
                self._page.begin(attempt.key[1] if self.concurrency == 1 else 0, len(self._waiting))
            return attempt

    def answer(self, attempt: Attempt, kind: Kind, payload: Union[Buffer, SealedBody], content: int, meta: Any = (), busy_ns: int = 0) -> None:
        attempt.ctx.finish()
        large = payload if isinstance(payload, SealedBody) else None
        frame = about(attempt.key, kind, flags=int(content), type=min(busy_ns // 1000, 65535), meta=list(meta),
                      payload=b"" if isinstance(payload, SealedBody) else payload)
        if large is not None or (len(payload) > self.result_bytes_max and kind == Kind.DONE):
            self._hand_over(frame, large)
        with self._lock:
            self._begun.pop(attempt.key, None)
            self.channel.send(frame)
            if self._page is not None:
                self._page.end(busy_ns)
            told = bool(self._waiting) or self.retiring or self.gone or self.interruption.asked
        if told and threading.get_ident() != self._main:  # it may begin the next, or end
            self.changed.ring()

    def _hand_over(self, frame: Frame, made: Optional[SealedBody]) -> None:
        """The result as a descriptor; a failure where none can be had."""
        try:
            body = SealedBody(frame.payload) if made is None else made
        except OSError as error:
            frame.kind, frame.flags = Kind.FAILED, int(Content.UTF8)
            frame.payload = f"the result cannot be handed over: {error}".encode()
            return
        frame.descriptor, frame.descriptors, frame.meta, frame.payload = body.descriptor, 1, [len(body)], b""

    def say(self, frame: Frame) -> bool:
        """A context's progress, its report or its checkpoint. False: this daemon takes none."""
        if not self.features & SAID_WITH[frame.kind]:
            return False
        if frame.kind == Kind.PROGRESS and not self.features & Feature.PARTIAL:
            frame.payload, frame.flags = b"", 0
        if frame.kind == Kind.CHECKPOINT:  # large ones do not pile up here
            self.channel.outbox.wait_below(UNSENT_BYTES_MAX)
        with self.interruption.held_back():
            self.channel.send(frame)
        return True

    def say_later(self, context: Context) -> None:
        if self.features & Feature.PROGRESS:
            self._late.put(context)

    def beat(self) -> None:
        """By the loop that would begin a task now, and only while none runs: that is what a beat says."""
        with self._lock:
            if self._begun:
                return
            if self._page is None:
                self.channel.send(Frame(Kind.BEAT))
            else:
                self._page.note(len(self._waiting), self.channel.outbox.unsent_bytes)
                self._page.beat()

    def is_empty(self) -> bool:
        with self._lock:
            return not self._waiting and not self._begun

    def end_all(self, text: str) -> None:
        """The worker must end: what has not begun is answered as failed, what runs is told."""
        with self._lock:
            waiting, begun = list(self._waiting), list(self._begun.values())
            self._waiting.clear()
            for attempt in waiting:
                self._give_back(attempt, text)
        for attempt in begun:
            attempt.ctx.cancel(CANCELLED)

    # What the daemon says. Order: by who has the channel.

    def wait(self) -> bool:
        """Of the main thread: until there is something to look at, or a beat is due (True)."""
        seconds = self._beat_due - time.monotonic()
        if seconds > 0:
            if self.attend(self._ear, seconds):
                self.changed.hush()
            if time.monotonic() < self._beat_due:
                return False
        self._beat_due = time.monotonic() + self.heartbeat
        self.arenas.forget_idle()
        return True

    def exchange(self) -> None:
        """Between two of the tasks in hand: what the daemon says is not left for long."""
        if self._waiting and time.monotonic() - self._read_at > UNREAD_SECONDS:
            self.attend(self._ear, 0)

    def ear(self, bell: Bell) -> Ear:
        return Ear(bell, self.channel.stream.fileno_in())

    def attend(self, ear: Ear, seconds: Optional[float]) -> bool:
        """Waits until the daemon says something, and acts on it. True: the ear's bell was rung."""
        rung, said = ear.listen(seconds)
        if said and self.gone:
            ear.turn_away()
        elif said:
            self._read()
        return rung

    def _read(self) -> None:
        self._read_at = time.monotonic()
        if self.channel.read():
            self._act()
        else:
            self._end()

    def _act(self) -> None:
        """On what was read. Answers to all of it leave together."""
        outbox = self.channel.outbox
        outbox.hold()
        try:
            while (frame := self.channel.next()) is not None:
                if frame.kind == Kind.ERROR:
                    raise ProtocolError(f"{frame.at(1, '')} ({frame.at(0)})")
                self._take(frame)
        except ProtocolError as error:
            self.fault = str(error)
        outbox.release()
        if self.fault is not None:
            self._end()

    def break_off(self, fault: str) -> None:
        """By who reads, and can no more."""
        self.fault = fault
        self._end()

    def _end(self) -> None:
        self.ended()
        self.gone = True

    def _take(self, frame: Frame) -> None:
        if frame.kind == Kind.TYPE_NAME:
            self._types[frame.type] = frame.at(0, "")
        elif frame.kind == Kind.ASSIGN:
            self._assigned(frame)
        elif frame.kind == Kind.RETIRE:
            self.retiring, self.come_again = True, bool(frame.flags & COME_AGAIN)
        elif frame.kind == Kind.RECALL:
            self._recall(frame.key)
        elif frame.kind == Kind.CANCEL_ATTEMPT:
            self._cancel(frame.key, frame.at(0, CANCELLED))
        elif frame.kind == Kind.CHECKPOINT_PLEASE:
            self._ask(frame.key)
        elif frame.kind != Kind.PONG:
            raise ProtocolError(f"a frame of kind {frame.kind} is none that a worker is sent")

    def _assigned(self, frame: Frame) -> None:
        name = self._types.get(frame.type)
        if name is None:
            raise ProtocolError(f"assign of type number {frame.type}, which was never named")
        try:
            attempt = Attempt(frame, name, self)
        except (OSError, ValueError, MemoryError) as error:
            text = f"the payload cannot be taken: {error}"
            return self.channel.send(about(frame.key, Kind.FAILED, flags=int(Content.UTF8), payload=text.encode()))
        with self._lock:
            if len(self._waiting) + len(self._begun) >= self._start.credits:
                raise ProtocolError(f"assign beyond the credits of hello ({self._start.credits})")
            self._waiting.append(attempt)

    def _recall(self, key: Key) -> None:
        with self._lock:
            returned = self._take_back(key) is not None
            self.channel.send(about(key, Kind.RECALLED, flags=RETURNED if returned else 0))

    def _cancel(self, key: Key, cause: int) -> None:
        with self._lock:
            begun, waiting = self._begun.get(key), self._take_back(key)
            if waiting is not None:
                self._give_back(waiting, "told to end before it began")
        if begun is not None:
            begun.ctx.cancel(cause)

    def _ask(self, key: Key) -> None:
        with self._lock:
            begun = self._begun.get(key)
        if begun is not None:
            begun.ctx.ask()

    def _take_back(self, key: Key) -> Optional[Attempt]:
        found = next((each for each in self._waiting if each.key == key), None)
        if found is not None:
            self._waiting.remove(found)
        return found

    def _give_back(self, attempt: Attempt, text: str) -> None:
        self.channel.send(about(attempt.key, Kind.FAILED, flags=int(Content.UTF8), payload=text.encode()))
