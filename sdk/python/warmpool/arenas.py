"""Memory for large payloads that a client fills again (docs/protocol.md, section 13, Arenas): to make it anew is most of what a large
payload costs."""
from __future__ import annotations

import collections
import fcntl
import mmap
import threading
import time
import weakref
from typing import Optional

from .large import ARENA_SEALS, Descriptor, filled
from .wire import Buffer

COUNT_MAX = 16
IDLE_SECONDS = 10.0
SIZES = 8  # so many of the last ones are remembered
PIECE_BYTES = 4 << 20  # copied at once: nobody else has the interpreter meanwhile


class Arena:
    """Owns the memory and the one mapping that can write to it. Who was given its descriptor keeps the memory when this ends."""

    def __init__(self, data: Buffer) -> None:
        """Raises OSError, also where the kernel has no such seal (before 5.1)."""
        self.size = len(data)
        self.descriptor: Descriptor = filled(data)
        self._map = mmap.mmap(self.descriptor.number, self.size)
        fcntl.fcntl(self.descriptor.number, fcntl.F_ADD_SEALS, ARENA_SEALS)
        self._touched = False

    def fill(self, data: Buffer) -> None:
        """As many bytes as it was made of. Order: nobody reads what it held any more."""
        if not self._touched:
            self._touched = True
            try:
                self._map.madvise(23)  # MADV_POPULATE_WRITE: its pages at once, for half of what they cost one by one
            except OSError:  # a kernel before 5.14
                pass
        given = memoryview(data)
        for at in range(0, self.size, PIECE_BYTES):
            self._map[at:at + PIECE_BYTES] = given[at:at + PIECE_BYTES]


class Arenas:
    """Each is lent to one task and taken back only if nobody can read that task's payload any more; one that is not taken back is
    forgotten with its last reference. Bounds: COUNT_MAX, and bytes_max of all that there are, lent or not; one alone may be larger.
    What was not lent for IDLE_SECONDS goes. Threads: any."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._all: weakref.WeakSet[Arena] = weakref.WeakSet()
        self._idle: list[tuple[Arena, float]] = []  # the longest first
        self._sizes: collections.deque[int] = collections.deque(maxlen=SIZES)
        self._timer: Optional[threading.Timer] = None
        self._closed = False

    def lend(self, data: Buffer) -> Optional[Arena]:
        """One that holds these bytes. None: they are too many, all are lent, the kernel gives none, or a payload of this size was not seen
        lately: of most there will be no second one, and what is kept for it would be memory for nothing."""
        size = len(data)
        with self._lock:
            found = self._take(size)
            if found is None and not (self._seen(size) and self._make_room(size)):
                return None
        if found is not None:
            found.fill(data)
            return found
        try:
            made = Arena(data)
        except OSError:
            return None
        with self._lock:
            self._all.add(made)
        return made

    def take_back(self, arena: Arena) -> None:
        """Order: its task is done in its first attempt, so that nothing reads it any more."""
        with self._lock:
            if self._closed:
                return
            self._idle.append((arena, time.monotonic()))
            self._arm()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._idle.clear()
            if self._timer is not None:
                self._timer.cancel()

    def _take(self, size: int) -> Optional[Arena]:
        """The one that was used last: most of it may still be in the caches."""
        for place in reversed(range(len(self._idle))):
            if self._idle[place][0].size == size:
                return self._idle.pop(place)[0]
        return None

    def _seen(self, size: int) -> bool:
        if size in self._sizes:
            return True
        self._sizes.append(size)
        return False

    def _make_room(self, size: int) -> bool:
        if self._bytes_max == 0:
            return False
        while self._is_full(size) and self._idle:
            self._idle.pop(0)
        return not self._is_full(size)

    def _is_full(self, size: int) -> bool:
        there = list(self._all)
        return bool(there) and (len(there) >= COUNT_MAX or sum(each.size for each in there) + size > self._bytes_max)

    def _arm(self) -> None:
        """A thread that waits, while there is something that may go: nobody may ever call again."""
        if self._timer is None and self._idle and not self._closed:
            self._timer = threading.Timer(max(0.0, self._idle[0][1] + IDLE_SECONDS - time.monotonic()), self._forget_idle)
            self._timer.name, self._timer.daemon = "warmpool-arenas", True
            self._timer.start()

    def _forget_idle(self) -> None:
        with self._lock:
            self._timer = None
            since = time.monotonic() - IDLE_SECONDS
            self._idle = [each for each in self._idle if each[1] > since]
            self._arm()
