"""Payloads and results that are handed over as descriptors (docs/protocol.md, section 13)."""
from __future__ import annotations

import fcntl
import mmap
import os
import stat

from .wire import Buffer

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
READ_BYTES = 1 << 20


class Descriptor:
    """Owns it: closed with the last reference."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)
            self.number = -1


def sealed(data: Buffer) -> Descriptor:
    """A memfd of these bytes that nobody can change any more. Raises OSError."""
    made = Descriptor(os.memfd_create("warmpool-body", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(made.number, rest):]
    fcntl.fcntl(made.number, fcntl.F_ADD_SEALS, SEALS)
    return made


def view_of(came: Descriptor, size: int) -> memoryview:
    """Its bytes: mapped where it is sealed, read where it is a file, which somebody could cut short. Raises OSError or ValueError."""
    if came.number < 0:
        raise ValueError("there was no room for its descriptor")
    found = os.fstat(came.number)
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        raise ValueError(f"it has {found.st_size} bytes, and {size} were announced")
    if is_sealed(came.number):
        return memoryview(mmap.mmap(came.number, size, mmap.MAP_PRIVATE, mmap.PROT_READ))
    return memoryview(read_all(came.number, size)).toreadonly()


def is_sealed(number: int) -> bool:
    try:
        return fcntl.fcntl(number, fcntl.F_GET_SEALS) & SEALS == SEALS
    except OSError:
        return False


def read_all(number: int, size: int) -> bytearray:
    room = bytearray(size)
    view, at = memoryview(room), 0
    while at < size:
        got = os.preadv(number, [view[at:at + READ_BYTES]], at)
        if got == 0:
            raise ValueError(f"it has only {at} of {size} bytes")
        at += got
    return room
