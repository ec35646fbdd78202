"""Frames over a stream: reads them, answers pings, and writes without waiting."""
from __future__ import annotations

from typing import Optional, Union

from . import rules, wire
from .large import Descriptor
from .outbox import Outbox
from .streams import FifoStream, SocketStream
from .wire import Frame
from .words import Kind

READ_BYTES = 1 << 18


class Channel:
    """Threads: one receives; any may send."""

    def __init__(self, stream: Union[SocketStream, FifoStream], taken: dict[Kind, rules.Rule]) -> None:
        self.stream, self._taken = stream, taken
        self.features = 0  # agreed
        self.body_bytes_max = wire.BODY_BYTES_BEFORE_WELCOME
        self.outbox = Outbox(stream.fileno(), stream.write, stream.write_with)
        self._data, self._at = b"", 0

    def send(self, frame: Frame) -> None:
        self.outbox.send(frame.encode())

    def receive(self) -> Optional[Frame]:
        """The next frame that is no ping; None at the end. Blocks. Raises ProtocolError."""
        while True:
            header = self._exactly(wire.HEADER_BYTES)
            if header is None:
                return None
            body_bytes, _ = wire.lengths(header, self.body_bytes_max)
            body = self._exactly(body_bytes)
            if body is None:
                return None
            frame = wire.decode(header, body)
            rules.check(frame, self._taken, self.features)
            if frame.descriptors and frame.kind != Kind.WELCOME:
                frame.descriptor = self._descriptor()
            if frame.kind != Kind.PING:
                return frame
            self.send(Frame(Kind.PONG, token=frame.token))

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

    def _exactly(self, count: int) -> Optional[bytes]:
        end = self._at + count
        if end <= len(self._data):
            taken = self._data[self._at:end]
            self._at = end
            return taken
        parts = [self._data[self._at:]]
        missing = end - len(self._data)
        self._data, self._at = b"", 0
        while missing > 0:
            self.outbox.release()
            part = self.stream.read(max(READ_BYTES, min(missing, 1 << 20)))
            self.outbox.hold()
            if not part:
                return None
            if len(part) > missing:
                self._data, self._at = part, missing
                part = part[:missing]
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)
