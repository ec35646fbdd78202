"""Bodies that are handed over as descriptors (docs/protocol.md, section 13)."""
import fcntl
import os
import tempfile

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def made(data, form="sealed", short=0):
    """A descriptor of the forms that a daemon sends. short: so many bytes less are in it than will be said."""
    data = data[:len(data) - short]
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


def taken(frame, place):
    """The bytes that came beside a frame, whose meta says at `place` how many. What a daemon would refuse fails."""
    assert frame.descriptors == 1 and frame.descriptor is not None, f"no descriptor came with {frame}"
    descriptor, size = frame.descriptor, frame.at(place)
    try:
        assert not frame.payload, "there is a payload beside the descriptor"
        assert fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & SEALS == SEALS, "it has not all four seals"
        assert os.fstat(descriptor).st_size == size, f"it has {os.fstat(descriptor).st_size} bytes, and {size} were announced"
        return os.pread(descriptor, size, 0)
    finally:
        os.close(descriptor)
