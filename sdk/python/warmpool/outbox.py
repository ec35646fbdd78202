"""Writing that never makes its caller wait.

A frame is written at once where the other end has room, by the thread that has it: handing it to a writer thread costs
two switches of the interpreter lock for each frame. What does not fit is written by a thread that exists from then on, so
that whoever reads goes on reading while a write blocks (docs/protocol.md, section 1).

What the thread that reads sends while it works through what one read brought leaves together, in one write.
"""
from __future__ import annotations

import collections
import errno
import select
import threading
import time
from typing import Callable, Iterator, Optional

from .large import Descriptor
from .wire import Handed

HELD_BYTES_MAX = 64 << 10
RETRY_AFTER = 0.01

Write = Callable[[memoryview], int]  # of a descriptor that does not block; raises BlockingIOError
WriteWith = Callable[[memoryview, int], int]  # likewise, with a descriptor beside the first byte
Part = tuple[memoryview, Optional[Descriptor]]


def no_descriptor(data: memoryview, beside: int) -> int:
    raise OSError("no descriptor goes through here")


class Outbox:
    def __init__(self, descriptor: int, write: Write, write_with: WriteWith = no_descriptor) -> None:
        self._descriptor, self._write, self._write_with = descriptor, write, write_with
        self._lock = threading.RLock()  # a signal's handler, or what the collector ends, may send from inside of a send
        self._writing = False
        self._changed = threading.Condition(self._lock)
        self._pending: collections.deque[Part] = collections.deque()
        self._flusher: Optional[threading.Thread] = None
        self._closed = False
        self._retry = False  # what waits has a descriptor for which there is no room
        self._holder: Optional[int] = None  # the thread whose sends wait for release()
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.unsent_bytes = 0

    def send(self, data: bytes) -> None:
        """Order: as called. Errors: none here; who reads sees that the other end has gone."""
        with self._lock:
            self._held.append(data)
            self._held_bytes += len(data)
            if self._writing:  # by this thread, further up
                return
            if self._holder != threading.get_ident() or self._held_bytes >= HELD_BYTES_MAX:
                self._send_held()

    def hold(self) -> None:
        """What this thread sends waits for release(), or for what another one sends. Order: it calls release() before it blocks."""
        self._holder = threading.get_ident()

    def release(self) -> None:
        self._holder = None
        self.send_held()

    def send_held(self) -> None:
        """What is held leaves now; what is sent from here on is held as before."""
        if self._held:
            with self._lock:
                self._send_held()

    def flush(self, seconds: float) -> bool:
        """Waits until all is written. False if it was not within that time."""
        with self._lock:
            self._send_held()
        return self.wait_below(1, seconds)

    def wait_below(self, count: int, seconds: Optional[float] = None) -> bool:
        """Waits until fewer bytes than these are unwritten, or it is closed."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or self.unsent_bytes < count, seconds)

    def close(self) -> None:
        """What is unwritten is dropped. The descriptor is its owner's to close, after this."""
        with self._changed:
            self._closed = True
            self._pending.clear()
            self._held.clear()
            self.unsent_bytes = 0
            self._changed.notify_all()
        if self._flusher is not None and self._flusher is not threading.current_thread():
            self._flusher.join(5)

    def _send_held(self) -> None:
        """Also what is sent meanwhile from inside of it. Order: with the lock."""
        if self._writing:
            return
        self._writing = True
        try:
            while self._held:
                held, self._held, self._held_bytes = self._held, [], 0
                if self._closed:
                    return
                for part in parts_of(held):
                    if not self._pending:
                        part = self._some(part)
                    if part[0]:
                        self._keep(part)
        finally:
            self._writing = False

    def _keep(self, part: Part) -> None:
        self._pending.append(part)
        self.unsent_bytes += len(part[0])
        if self._flusher is None:
            self._flusher = threading.Thread(target=self._flush, name="warmpool-writer", daemon=True)
            self._flusher.start()
        self._changed.notify_all()

    def _some(self, part: Part) -> Part:
        """Writes what fits, returns the rest."""
        data, beside = part
        try:
            while data:
                count = self._write(data) if beside is None else self._write_with(data, beside.number)
                data, beside = data[count:], None
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno == errno.ETOOMANYREFS:  # descriptors on their way to peers that have not read yet
                self._retry = True
                return data, beside
            self._closed = True  # gone; whoever reads will see it
            return data[len(data):], None
        return data, beside

    def _flush(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._pending)
                if self._closed:
                    self._changed.notify_all()
                    return
            if self._retry:  # the socket would say at once that there is room
                self._retry = False
                time.sleep(RETRY_AFTER)
            elif not writable(self._descriptor, 1.0):
                continue
            with self._changed:
                if not self._pending:
                    continue
                before = self._pending.popleft()
                rest = self._some(before)
                self.unsent_bytes -= len(before[0]) - len(rest[0])
                if rest[0]:
                    self._pending.appendleft(rest)
                self._changed.notify_all()


def parts_of(held: list[bytes]) -> Iterator[Part]:
    """What is written at once: all together, but a frame with a descriptor begins anew."""
    if len(held) == 1 and not isinstance(held[0], Handed):
        yield memoryview(held[0]), None
        return
    together: list[bytes] = []
    beside: Optional[Descriptor] = None
    for each in held:
        if isinstance(each, Handed):
            if together:
                yield memoryview(b"".join(together)), beside
            together, beside = [], each.descriptor
        together.append(each)
    yield memoryview(b"".join(together)), beside


def writable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    try:
        poll.register(descriptor, select.POLLOUT)
        return bool(poll.poll(seconds * 1000))
    except (OSError, ValueError):  # closed meanwhile
        time.sleep(0.01)
        return False
