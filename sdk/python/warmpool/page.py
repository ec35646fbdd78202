"""The page of memory in which a worker beats and says what it runs (docs/protocol.md, section 10)."""
from __future__ import annotations

import mmap
import os
import struct
import time

PAGE_BYTES = 4096
# Places of u64 fields; a view of them stores each whole, by one aligned store.
BEATS, BEAT_AT, RUNNING, BEGUN, ENDED, BUSY_NS, IN_HAND, UNSENT_BYTES = range(64 // 8, 128 // 8)


class Page:
    """Threads: one at a time, its owner sees to that."""

    def __init__(self, descriptor: int, worker: int) -> None:
        """Owns: the descriptor, which it closes. Raises OSError or ValueError where it is not the page of this worker."""
        try:
            self._map = mmap.mmap(descriptor, PAGE_BYTES, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        finally:
            os.close(descriptor)
        magic, version, count, whose = struct.unpack_from("<8sIIQ", self._map)
        if (magic, version, count, whose) != (b"WPPAGE01", 1, PAGE_BYTES, worker):
            raise ValueError("the page is none of this worker")
        self._fields = memoryview(self._map).cast("Q")

    def beat(self) -> None:
        self._fields[BEATS] += 1
        self._fields[BEAT_AT] = time.monotonic_ns()

    def begin(self, token: int, in_hand: int) -> None:
        """token: 0 where several run at once."""
        self._fields[RUNNING] = token
        self._fields[BEGUN] += 1
        self._fields[IN_HAND] = in_hand

    def end(self, busy_ns: int) -> None:
        self._fields[RUNNING] = 0
        self._fields[ENDED] += 1
        self._fields[BUSY_NS] += busy_ns

    def note(self, in_hand: int, unsent_bytes: int) -> None:
        self._fields[IN_HAND] = in_hand
        self._fields[UNSENT_BYTES] = unsent_bytes
