"""Bodies that are handed over as descriptors (docs/protocol.md, section 13)."""
import fcntl
import mmap
import os
import tempfile

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
ARENA_SEALS = 16 | SEALS & ~fcntl.F_SEAL_WRITE  # 16: F_SEAL_FUTURE_WRITE
arenas = {}  # by size: descriptor and mapping


def made(data, form="sealed", short=0):
    """A descriptor of the forms that a daemon sends. short: so many bytes less are in it than will be said."""
    data = data[:len(data) - short]
    if form == "arena":
        return filled(data)
    if form == "file":
        written, path = tempfile.mkstemp()
        descriptor = os.open(path, os.O_RDONLY)
        os.unlink(path)
    else:
        descriptor = written = os.memfd_create("body", os.MFD_ALLOW_SEALING)
    while data:
        data = data[os.write(written, data):]
    if form == "file":
        os.close(written)
    else:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    return descriptor


def filled(data):
    """The same memory for each of the same size."""
    if len(data) not in arenas:
        descriptor = os.memfd_create("body", os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, len(data))
        arenas[len(data)] = descriptor, mmap.mmap(descriptor, len(data))
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, ARENA_SEALS)
    descriptor, mapping = arenas[len(data)]
    mapping[:] = data
    return os.dup(descriptor)


class Kept:
    """A further descriptor of the same."""

    def __init__(self, descriptor):
        self.descriptor = os.dup(descriptor)

    def bytes(self):
        return os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0)

    def __del__(self):
        os.close(self.descriptor)


def taken(frame, place, arenas_agreed=False):
    """The bytes that came beside a frame, whose meta says at `place` how many. What a daemon would refuse fails."""
    assert frame.descriptors == 1 and frame.descriptor is not None, f"no descriptor came with {frame}"
    descriptor, size = frame.descriptor, frame.at(place)
    try:
        assert not frame.payload, "there is a payload beside the descriptor"
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
        assert seals & SEALS == SEALS or (arenas_agreed and seals == ARENA_SEALS), f"its seals are {seals}"
        assert os.fstat(descriptor).st_size == size, f"it has {os.fstat(descriptor).st_size} bytes, and {size} were announced"
        return os.pread(descriptor, size, 0)
    finally:
        os.close(descriptor)
