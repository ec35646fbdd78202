"""The daemon's end of a channel, for a driver that waits for everything within a bound and sends what it likes."""
import os
import select
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import msgpack  # noqa: E402
import page  # noqa: E402
from frame import HEADER, Frame  # noqa: E402

PATIENCE = float(os.environ.get("WARMPOOL_CONFORMANCE_PATIENCE", "30"))  # seconds; of one thing that is waited for


class Late(AssertionError):
    """What must come did not come."""


def until(condition, what, poll=None):
    """The first true value of the condition, which is asked again after each poll()."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            raise Late(f"not within {PATIENCE:.0f} s: {what}")
        poll() if poll else select.select([], [], [], 0.002)
    return value


class End:
    """One peer's connection. Reads while it writes; every frame that comes is held against the page."""

    def __init__(self, read_fd, write_fd, sender, close, connected=None):
        """connected: the socket, where it is one; then descriptors come and go."""
        self.read_fd, self.write_fd, self.sender, self._close = read_fd, write_fd, sender, close
        self._socket, self._came = connected, []
        for descriptor in {read_fd, write_fd}:
            os.set_blocking(descriptor, False)
        self.features = 0  # agreed
        self.closed = False  # by the peer
        self.deaf = False  # nothing is read
        self._unsent, self._data = bytearray(), bytearray()
        self._beside = []  # (how far in what is unsent, descriptor)
        self._frames = []

    def send(self, frame):
        self.send_bytes(frame.encode())

    def send_bytes(self, data, descriptor=None):
        """descriptor: goes with the first byte, and is closed."""
        if descriptor is not None:
            self._beside.append((len(self._unsent), descriptor))
        self._unsent += data
        self.pump(0)

    def flush(self):
        until(lambda: not self._unsent or self.closed, f"the {self.sender} reads", self.pump)

    def pump(self, seconds=0.05):
        """One turn of reading and writing."""
        if self.closed:
            select.select([], [], [], min(seconds, 0.002))
            return
        readable, writable, _ = select.select([] if self.deaf else [self.read_fd], [self.write_fd] if self._unsent else [], [], seconds)
        try:
            if writable:
                self._write()
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()  # gone; reading says so
        if readable:
            self._read()

    def _write(self):
        """Up to the next byte that has a descriptor beside it."""
        beside = self._beside[0][1] if self._beside and self._beside[0][0] == 0 else None
        until_next = [at for at, _ in self._beside if at > 0]
        data = self._unsent[:min([1 << 16, *until_next])]
        if beside is None:
            count = os.write(self.write_fd, data)
        else:
            count = socket.send_fds(self._socket, [data], [beside])
            os.close(self._beside.pop(0)[1])
        del self._unsent[:count]
        self._beside = [(at - count, descriptor) for at, descriptor in self._beside]

    def _receive(self):
        if self._socket is None:
            return os.read(self.read_fd, 1 << 18)
        data, descriptors, flags, _ = socket.recv_fds(self._socket, 1 << 18, 16)
        assert not flags & socket.MSG_CTRUNC, f"the {self.sender} sent more descriptors than one can take"
        self._came += descriptors
        return data

    def _read(self):
        try:
            data = self._receive()
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.closed = not data
        self._data += data
        while (frame := self._cut()) is not None:
            frame.descriptor = None
            if frame.descriptors:
                assert self._came, f"the {self.sender} announces a descriptor, and none came with it"
                frame.descriptor = self._came.pop(0)
            page.check(frame, self.sender, self.features)
            self._frames.append(frame)

    def _cut(self):
        if len(self._data) < HEADER.size:
            return None
        body_bytes, meta_bytes, *fields = HEADER.unpack_from(self._data)
        assert meta_bytes <= body_bytes <= 1 << 25, f"the {self.sender} sent a frame of {body_bytes} bytes with {meta_bytes} of meta"
        end = HEADER.size + body_bytes
        if len(self._data) < end:
            return None
        body = bytes(self._data[HEADER.size:end])
        del self._data[:end]
        meta = msgpack.unpackb(body[:meta_bytes]) if meta_bytes else []
        assert isinstance(meta, list), f"the {self.sender} sent a meta that is no array"
        return Frame(*fields, meta, body[meta_bytes:])

    def take(self, wanted, what):
        """The first frame that `wanted` takes; a frame that it does not know must raise."""
        def found():
            while self._frames:
                frame = self._frames.pop(0)
                if wanted(frame):
                    return frame
            assert not self.closed, f"the {self.sender} hung up where was expected: {what}"
            return None

        return until(found, what, self.pump)

    def left(self):
        """Frames that came and nobody took."""
        return self._frames

    def await_end(self):
        until(lambda: self.closed, f"the {self.sender} hangs up", self.pump)
        assert not self._data, f"the {self.sender} hung up within a frame"

    def close(self):
        left = [descriptor for _, descriptor in self._beside] + self._came
        for descriptor in left + [each.descriptor for each in self._frames if each.descriptor is not None]:
            os.close(descriptor)
        self._beside, self._came, self._frames = [], [], []
        if self._close is not None:
            self._close()
            self._close = None
