"""A worker's mappings of arenas, kept for the next payload in the same one (docs/protocol.md, section 13, Arenas).

What a handler was given it may keep, as all that Python gives: where it does, the worker makes a copy in the place of the mapping before it
answers, since the client fills the arena anew when it has heard of that. Who keeps nothing pays nothing.
"""
from __future__ import annotations

import ctypes
import mmap
import threading
import time
import weakref
from typing import Any, Optional

from .large import LIBC, MAP_FAILED, Descriptor, checked_size, is_own_arena, last_error, mapped_at

COUNT_MAX, BYTES_MAX, IDLE_SECONDS = 16, 1 << 30, 10.0
MREMAP_MAYMOVE, MREMAP_FIXED = 1, 2

LIBC.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
LIBC.mremap.restype = ctypes.c_void_p
LIBC.mremap.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p


class Mapping:
    """Unmapped with its last reference: views have one."""

    def __init__(self, number: int, size: int) -> None:
        """Raises OSError."""
        self.size, self.used_at = size, time.monotonic()
        self._address = mapped_at(number, size, mmap.MAP_SHARED)
        weakref.finalize(self, LIBC.munmap, self._address, size).atexit = False  # who still reads then goes on

    def room(self) -> ctypes.Array[ctypes.c_ubyte]:
        made = (ctypes.c_ubyte * self.size).from_address(self._address)
        made.mapping = self  # type: ignore[attr-defined]
        return made

    def copy_in_place(self) -> None:
        """What it shows is from here on its own. Raises OSError."""
        private = LIBC.mmap(None, self.size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        if private == MAP_FAILED:
            raise last_error()
        ctypes.memmove(private, self._address, self.size)
        LIBC.mprotect(private, self.size, mmap.PROT_READ)
        if LIBC.mremap(private, self.size, self.size, MREMAP_MAYMOVE | MREMAP_FIXED, self._address) == MAP_FAILED:
            error = last_error()
            LIBC.munmap(private, self.size)
            raise error


class Lent:
    """What an attempt has of one."""

    def __init__(self, kept: KeptArenas, mapping: Mapping) -> None:
        self._kept, self._mapping = kept, mapping
        room = mapping.room()
        self._room = weakref.ref(room)
        self.view: Optional[memoryview] = memoryview(room).cast("B").toreadonly()

    def let_go(self) -> None:
        """Before the answer: what somebody still has of its view stays as it is. Raises OSError where there is no memory for that."""
        self.view = None
        if self._room() is not None:
            self._kept.forget(self._mapping)
            self._mapping.copy_in_place()


class KeptArenas:
    """Bounds: COUNT_MAX, and BYTES_MAX of all; one alone may be larger. What was not used for IDLE_SECONDS goes: its client may have gone,
    and the memory stays as long as anybody has it mapped. Threads: any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Any, Mapping] = {}  # by file; the longest unused first

    def lend(self, came: Descriptor, size: int) -> Optional[Lent]:
        """None: it is no arena of this user, whose bytes stay while its task runs. Raises OSError or ValueError."""
        if came.number < 0 or not is_own_arena(came.number):
            return None
        found = checked_size(came.number, size)
        file = found.st_dev, found.st_ino
        with self._lock:
            mapping = self._kept.pop(file, None)
            if mapping is None:
                mapping = Mapping(came.number, size)
                self._make_room(size)
            mapping.used_at = time.monotonic()
            self._kept[file] = mapping
        return Lent(self, mapping)

    def forget(self, mapping: Mapping) -> None:
        with self._lock:
            self._kept = {file: each for file, each in self._kept.items() if each is not mapping}

    def forget_idle(self) -> None:
        if self._kept:
            with self._lock:
                since = time.monotonic() - IDLE_SECONDS
                self._kept = {file: each for file, each in self._kept.items() if each.used_at > since}

    def _make_room(self, size: int) -> None:
        while self._kept and (len(self._kept) >= COUNT_MAX or sum(each.size for each in self._kept.values()) + size > BYTES_MAX):
            del self._kept[next(iter(self._kept))]
