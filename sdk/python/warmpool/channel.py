"""Frames over a stream: reads them, answers pings, and writes without waiting."""
from __future__ import annotations

from typing import Optional, Union

from . import rules, wire
from .large import Descriptor
from .outbox import Outbox
from .streams import FifoStream, SocketStream
from .wire import Frame
from .words import Kind

READ_BYTES, READ_BYTES_MAX = 1 << 16, 1 << 20  # at once; more of a frame that is known to be longer


class Channel:
    """Threads: one at a time receives; any may send."""

    def __init__(self, stream: Union[SocketStream, FifoStream], taken: dict[Kind, rules.Rule]) -> None:
        self.stream, self._taken = stream, taken
        self.features = 0  # agreed
        self.body_bytes_max = wire.BODY_BYTES_BEFORE_WELCOME
        self.outbox = Outbox(stream.fileno(), stream.write, stream.write_with)
        self._data, self._at = b"", 0  # what was read, and how far it was taken
        self._parts: list[bytes] = []  # of a frame that is not whole; then `_data` is empty
        self._missing = 0  # bytes until it is

    def send(self, frame: Frame) -> None:
        self.outbox.send(frame.encode())

    def receive(self) -> Optional[Frame]:
        """The next frame that is no ping; None at the end. Blocks. Raises ProtocolError."""
        while (frame := self.next()) is None:
            self.outbox.release()
            more = self.read()
            self.outbox.hold()
            if not more:
                return None
        return frame

    def next(self) -> Optional[Frame]:
        """The next frame of what was read that is no ping; None where no whole one is left. Raises ProtocolError."""
        while True:
            left = len(self._data) - self._at - wire.HEADER_BYTES
            if left < 0:
                self._keep(-left)
                return None
            body_bytes = wire.body_bytes(self._data, self._at, self.body_bytes_max)
            if body_bytes > left:
                self._keep(body_bytes - left)
                return None
            frame = wire.decode(self._data, self._at, body_bytes)
            self._at += wire.HEADER_BYTES + body_bytes
            rules.check(frame, self._taken, self.features)
            if frame.descriptors and frame.kind != Kind.WELCOME:
                frame.descriptor = self._descriptor()
            if frame.kind != Kind.PING:
                return frame
            self.send(Frame(Kind.PONG, token=frame.token))

    def read(self) -> bool:
        """Takes from the stream what there is, at most a megabyte. Blocks where nothing is. False at the end. Order: next() has said None."""
        part = self.stream.read(max(READ_BYTES, min(self._missing, READ_BYTES_MAX)))
        if self._parts:
            self._parts.append(part)
            self._missing -= len(part)
            if self._missing <= 0:
                self._data, self._parts = b"".join(self._parts), []
        else:
            self._data = part
        return bool(part)

    def _descriptor(self) -> Descriptor:
        if not self.stream.descriptors:
            raise wire.ProtocolError("a frame announces a descriptor, and none came with it")
        return Descriptor(self.stream.descriptors.popleft())

    def hang_up(self) -> None:
        """From any thread: who receives gets None."""
        self.stream.shutdown()

    def close(self) -> None:
        """By the thread that receives, or when it has ended."""
        self.outbox.close()
        self.stream.close()

    def _keep(self, missing: int) -> None:
        """What is left is the beginning of a frame."""
        if self._parts:
            return
        self._missing = missing
        if self._at < len(self._data):
            self._parts.append(self._data[self._at:])
        self._data, self._at = b"", 0
