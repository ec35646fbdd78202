"""Writing that never makes its caller wait.

A frame is written at once where the other end has room, by the thread that has it: handing it to a writer thread costs
two switches of the interpreter lock for each frame. What does not fit is written by a thread that exists from then on, so
that whoever reads goes on reading while a write blocks (docs/protocol.md, section 1).

What the thread that reads sends while it works through what one read brought leaves together, in one write.
"""
from __future__ import annotations

import collections
import select
import threading
import time
from typing import Callable, Optional

HELD_BYTES_MAX = 64 << 10

Write = Callable[[memoryview], int]  # of a descriptor that does not block; raises BlockingIOError


class Outbox:
    def __init__(self, descriptor: int, write: Write) -> None:
        self._descriptor, self._write = descriptor, write
        self._lock = threading.RLock()  # a signal's handler, or what the collector ends, may send from inside of a send
        self._writing = False
        self._changed = threading.Condition(self._lock)
        self._pending: collections.deque[memoryview] = collections.deque()
        self._flusher: Optional[threading.Thread] = None
        self._closed = False
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
                rest = memoryview(held[0] if len(held) == 1 else b"".join(held))
                if not self._pending:
                    rest = self._some(rest)
                if rest:
                    self._keep(rest)
        finally:
            self._writing = False

    def _keep(self, rest: memoryview) -> None:
        self._pending.append(rest)
        self.unsent_bytes += len(rest)
        if self._flusher is None:
            self._flusher = threading.Thread(target=self._flush, name="warmpool-writer", daemon=True)
            self._flusher.start()
        self._changed.notify_all()

    def _some(self, data: memoryview) -> memoryview:
        """Writes what fits, returns the rest."""
        try:
            while data:
                data = data[self._write(data):]
        except BlockingIOError:
            pass
        except OSError:  # gone; whoever reads will see it
            self._closed = True
            return data[len(data):]
        return data

    def _flush(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._pending)
                if self._closed:
                    self._changed.notify_all()
                    return
            if not writable(self._descriptor, 1.0):
                continue
            with self._changed:
                if not self._pending:
                    continue
                before = self._pending.popleft()
                rest = self._some(before)
                self.unsent_bytes -= len(before) - len(rest)
                if rest:
                    self._pending.appendleft(rest)
                self._changed.notify_all()


def writable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    try:
        poll.register(descriptor, select.POLLOUT)
        return bool(poll.poll(seconds * 1000))
    except (OSError, ValueError):  # closed meanwhile
        time.sleep(0.01)
        return False
