"""A client's half of the conversation, over as many connections as it takes.

One thread reads, and dials again when the connection breaks. What was asked on a connection that broke is asked again only
where that cannot do it twice.
"""
from __future__ import annotations

import itertools
import os
import struct
import threading
from typing import Optional

from .arenas import Arenas
from .asking import Asked
from .errors import Lost, NoDaemon, Refused
from .link import Backoff, Link
from .wire import Frame, ProtocolError
from .words import KEYS_ONLY, Kind

UNSENT_BYTES_MAX = 256 << 10  # then a submit waits until the daemon reads
RECEIVED_MAX, RECEIVED_BYTES_MAX = 256, 1 << 20  # acknowledged together


class Conversation:
    """Threads: any may ask. Raises, when made, what Link raises."""

    def __init__(self, path: Optional[str], name: str, connect_timeout: float, reconnect: float, arena_bytes_max: int = 0) -> None:
        self._path, self._name, self._connect_timeout, self._reconnect = path, name, connect_timeout, reconnect
        self._lock, self._process = threading.RLock(), os.getpid()
        self._numbers = itertools.count(1)
        self._open: dict[int, Asked] = {}
        self._dead: Optional[Exception] = None
        self._closing = threading.Event()
        self._received: list[int] = []
        self._keys_received: list[int] = []
        self._received_bytes = 0
        self.arenas = Arenas(arena_bytes_max)
        self.link: Optional[Link] = Link(path, name, connect_timeout)
        self._last_link = self.link
        self._reader = threading.Thread(target=self._read, name="warmpool-client", daemon=True)
        self._reader.start()

    def ask(self, asked: Asked) -> None:
        """Order: as called. Errors: in its future, at once where the conversation has ended."""
        fault: Optional[Exception]
        try:
            asked.prepare(self.link or self._last_link)
        except Refused as error:
            return asked.future.fail(error)
        with self._lock:
            fault = self._dead
            if fault is None:
                number = next(self._numbers)
                self._open[number] = asked
                fault = self._send(number, asked)
        if fault is not None:
            asked.future.fail(fault)

    def takes_long(self, asked: Asked) -> bool:
        """To ask this: who must not be kept does it in a thread."""
        return asked.takes_long(self.link or self._last_link)

    def make_room(self, seconds: Optional[float] = None) -> bool:
        """Blocks while too much is unsent; not in the reading thread, where callbacks run: what these ask leaves at once."""
        link = self.link
        if link is None:
            return True
        if self.reads_here():
            link.channel.outbox.send_held()
            return True
        return link.channel.outbox.wait_below(UNSENT_BYTES_MAX, seconds)

    def reads_here(self) -> bool:
        return threading.current_thread() is self._reader

    def is_crowded(self) -> bool:
        link = self.link
        return link is not None and link.channel.outbox.unsent_bytes >= UNSENT_BYTES_MAX

    def open_count(self) -> int:
        with self._lock:
            return len(self._open)

    def acknowledge(self, task: int, count: int) -> None:
        """The result of this task is here."""
        with self._lock:
            self._received.append(task)
            self._received_bytes += count
            if len(self._received) >= RECEIVED_MAX or self._received_bytes >= RECEIVED_BYTES_MAX:
                self._say_received()

    def acknowledge_key(self, task: int) -> None:
        """Its id is here."""
        with self._lock:
            self._keys_received.append(task)
            if len(self._keys_received) >= RECEIVED_MAX:
                self._say_received()

    def close(self) -> None:
        """What is open ends as Lost. Blocks until what was sent is written, at most some seconds. In a process that was forked off, whose
        parent has the connection, nothing is done."""
        if os.getpid() != self._process:
            return
        self.arenas.close()
        with self._lock:
            self._say_received()
            link = self.link
        if link is not None:
            link.channel.outbox.flush(5)
        self._closing.set()
        if link is not None:
            link.channel.hang_up()
        if not self.reads_here():
            self._reader.join(10)

    def _say_received(self) -> None:
        for tasks, flags in ((self._received, 0), (self._keys_received, KEYS_ONLY)):
            if tasks and self.link is not None:
                self.link.channel.send(Frame(Kind.RECEIVED, flags=flags, payload=struct.pack(f"<{len(tasks)}Q", *tasks)))
                tasks.clear()
        self._received_bytes = 0

    def _send(self, number: int, asked: Asked) -> Optional[Refused]:
        """Why it cannot be sent; then it is open no more. Who calls this tells its future, and not under the lock: callbacks run there."""
        if self.link is None:
            return None
        try:
            frame = asked.frame(self.link)
            frame.token = number
            data = frame.encode()
        except Refused as error:
            self._open.pop(number, None)
            return error
        except Exception:
            self._open.pop(number, None)
            raise
        asked.sent_once = True
        self.link.channel.outbox.send(data)
        return None

    # The reading thread.

    def _read(self) -> None:
        why: Exception = Lost("closed")
        backoff = Backoff(self._reconnect)
        while self.link is not None:
            link = self.link
            why = self._read_from(link)
            if link.useful:
                backoff = Backoff(self._reconnect)
            if self._closing.is_set() or isinstance(why, (ProtocolError, Refused)) or not self._come_back(why, backoff):
                break
        self._end(why)

    def _read_from(self, link: Link) -> Exception:
        try:
            while (frame := link.channel.receive()) is not None:
                if frame.kind == Kind.ERROR:
                    refused = Refused(frame.at(0), frame.at(1, ""))
                    return refused if frame.at(0) >= 200 and frame.at(0) != 507 else Lost(str(refused))
                if frame.kind == Kind.WELCOME:
                    return ProtocolError("a second welcome")
                link.useful = True
                self._take(frame)
        except ProtocolError as error:
            return error
        except Exception as error:  # no memory, no thread: who waits is told, and asks again where that is safe
            return Lost(f"this end cannot go on: {error!r}")
        return Lost("closed" if self._closing.is_set() else "the daemon closed the connection")

    def _take(self, frame: Frame) -> None:
        fault, anew = None, False
        with self._lock:
            asked = self._open.get(frame.token)
            if asked is not None and asked.is_wanted_anew(frame):
                fault, anew = self._send(frame.token, asked), True
        if asked is None:
            return
        if fault is not None:
            asked.future.fail(fault)
        if anew or not asked.take(frame):
            return
        with self._lock:
            self._open.pop(frame.token, None)

    def _come_back(self, why: Exception, backoff: Backoff) -> bool:
        with self._lock:
            link, self.link = self.link, None
            ended = self._unsend()
        if link is not None:
            link.channel.close()
        for asked in ended:
            asked.future.fail(Lost(f"{why}; whether it took effect is not known, look with: warmpool status"))
        while (delay := backoff.next()) is not None and not self._closing.wait(delay):
            try:
                made = Link(self._path, self._name, min(self._connect_timeout, 1.0))
            except (NoDaemon, OSError):
                continue
            except Refused as error:
                if error.code >= 200:
                    return False
                continue
            except ProtocolError:
                return False
            with self._lock:
                self.link = self._last_link = made
                refused = [(asked, self._send(number, asked)) for number, asked in sorted(self._open.items())]
            for asked, fault in refused:
                if fault is not None:
                    asked.future.fail(fault)
            return True
        return False

    def _unsend(self) -> list[Asked]:
        """Makes what is open ready for the next connection; takes out what cannot be asked twice."""
        ended = []
        for number, asked in list(self._open.items()):
            if asked.sent_once and not asked.repeatable:
                ended.append(self._open.pop(number))
        return ended

    def _end(self, why: Exception) -> None:
        with self._lock:
            self._dead = why
            ended, self._open = list(self._open.values()), {}
            self.link = None
        self._last_link.channel.close()
        for asked in ended:
            asked.future.fail(why)
