"""Payloads and results that are handed over as descriptors (docs/protocol.md, section 13)."""
from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import stat
import sys
import weakref

from .wire import Buffer

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
ARENA_SEALS = 16 | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL  # 16: F_SEAL_FUTURE_WRITE
READ_BYTES = 1 << 20
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
LIBC.munmap.argtypes = ctypes.c_void_p, ctypes.c_size_t
MAP_FAILED = ctypes.c_void_p(-1).value


class Descriptor:
    """Owns it: closed with the last reference."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)
            self.number = -1


class SealedBody:
    """A body that is in a descriptor already."""

    def __init__(self, data: Buffer) -> None:
        """Raises OSError."""
        self.descriptor, self._size = sealed(data), len(data)

    def __len__(self) -> int:
        return self._size


def sealed(data: Buffer) -> Descriptor:
    """A memfd of these bytes that nobody can change any more. Raises OSError."""
    made = filled(data)
    fcntl.fcntl(made.number, fcntl.F_ADD_SEALS, SEALS)
    return made


def filled(data: Buffer) -> Descriptor:
    """Without seals yet. Raises OSError."""
    made = Descriptor(os.memfd_create("warmpool-body", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(made.number, rest):]
    return made


def view_of(came: Descriptor, size: int) -> memoryview:
    """Its bytes: mapped where it is sealed, read where it is a file, which somebody could cut short. Raises OSError or ValueError."""
    if came.number < 0:
        raise ValueError("there was no room for its descriptor")
    checked_size(came.number, size)
    if is_sealed(came.number):
        return mapped(came.number, size) if size else memoryview(b"")
    return memoryview(read_all(came.number, size)).toreadonly()


def checked_size(number: int, size: int) -> os.stat_result:
    """Raises OSError or ValueError."""
    found = os.fstat(number)
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        raise ValueError(f"it has {found.st_size} bytes, and {size} were announced")
    return found


def mapped(number: int, size: int) -> memoryview:
    """Unmapped with the last view of it. Holds no descriptor, or who keeps many results would run out of them: mmap.mmap can do that
    from Python 3.13 on only. Raises OSError."""
    if sys.version_info >= (3, 13):
        return memoryview(mmap.mmap(number, size, mmap.MAP_PRIVATE, mmap.PROT_READ, trackfd=False))
    address = mapped_at(number, size, mmap.MAP_PRIVATE)
    room = (ctypes.c_ubyte * size).from_address(address)
    weakref.finalize(room, LIBC.munmap, address, size).atexit = False  # who still reads then goes on
    return memoryview(room).cast("B").toreadonly()


def mapped_at(number: int, size: int, flags: int) -> int:
    """Where it can be read. Raises OSError."""
    address: int = LIBC.mmap(None, size, mmap.PROT_READ, flags, number, 0)
    if address == MAP_FAILED:
        raise last_error()
    return address


def last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def is_sealed(number: int) -> bool:
    return seals_of(number) & SEALS == SEALS


def is_arena(number: int) -> bool:
    """Memory that its owner alone fills, again and again, and whose size stays."""
    return seals_of(number) & (ARENA_SEALS | fcntl.F_SEAL_WRITE) == ARENA_SEALS


def is_own_arena(number: int) -> bool:
    """Of this user, who fills it only when its task is over. Of another's nobody can know that."""
    return is_arena(number) and os.fstat(number).st_uid == os.geteuid()


def seals_of(number: int) -> int:
    try:
        return fcntl.fcntl(number, fcntl.F_GET_SEALS)
    except OSError:
        return 0


def read_all(number: int, size: int) -> bytearray:
    room = bytearray(size)
    view, at = memoryview(room), 0
    while at < size:
        got = os.preadv(number, [view[at:at + READ_BYTES]], at)
        if got == 0:
            raise ValueError(f"it has only {at} of {size} bytes")
        at += got
    return room
