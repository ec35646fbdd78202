"""Frames of docs/protocol.md: layout (section 2), kinds (section 4), and a channel that reads and writes them."""
import os
import queue
import socket
import struct
import threading
from dataclasses import dataclass, field, replace

import msgpack

HEADER = struct.Struct("<IHBBQQHHHBB")
BODY_BYTES_BEFORE_WELCOME = 4096

(HELLO, WELCOME, ERROR, PING, PONG, TYPE_NAME) = range(1, 7)
(SUBMIT, AWAIT, CANCEL, REQUEST, RECEIVED) = range(16, 21)
(ACCEPTED, REFUSED, SETTLED, REPLY, PROGRESSED, CANCELLED, EVENT) = range(32, 39)
(ASSIGN, CANCEL_ATTEMPT, RECALL, RETIRE) = range(48, 52)
(DONE, FAILED, PROGRESS, BEAT, RECALLED) = range(64, 69)

FEATURE_CREDITS, FEATURE_RECALL, FEATURE_CANCEL, FEATURE_PROGRESS, FEATURE_EVENTS = 1, 2, 4, 16, 32


@dataclass
class Frame:
    kind: int
    flags: int = 0
    id: int = 0
    token: int = 0
    round: int = 0
    attempt: int = 0
    type: int = 0
    credits: int = 0
    descriptors: int = 0
    meta: list = field(default_factory=list)
    payload: bytes = b""

    def encode(self):
        fields = list(self.meta)
        while fields and fields[-1] is None:
            fields.pop()
        meta = msgpack.packb(fields) if fields else b""
        return HEADER.pack(len(meta) + len(self.payload), len(meta), self.kind, self.flags, self.id, self.token,
                           self.round, self.attempt, self.type, self.credits, self.descriptors) + meta + self.payload

    def at(self, place, default=0):
        """A field of the meta; one that is left out or nil has its default."""
        value = self.meta[place] if place < len(self.meta) else None
        return default if value is None else value

    def answer(self, kind, **fields):
        """A frame about the same attempt."""
        same = replace(self, kind=kind, flags=0, type=0, credits=0, descriptors=0, meta=[], payload=b"")
        return replace(same, **fields)


class Fifos:
    """Two FIFOs in the place of a socket. Python ignores SIGPIPE."""

    def __init__(self, path_in, path_out):
        self.ends = open(path_in, "rb", buffering=0), open(path_out, "wb", buffering=0)

    def recv(self, count):
        return self.ends[0].read(count)

    def sendall(self, data):
        while data:
            data = data[self.ends[1].write(data):]

    def close(self):
        for end in self.ends:
            end.close()


def given_channel():
    """The channel that the daemon gave to this worker (section 1)."""
    if "WARMPOOL_FIFO_IN" in os.environ:
        return Channel(Fifos(os.environ["WARMPOOL_FIFO_IN"], os.environ["WARMPOOL_FIFO_OUT"]))
    return Channel(socket.socket(fileno=int(os.environ["WARMPOOL_CHANNEL"])))


class Channel:
    """Writes in a thread of its own, so that whoever reads never waits for a write."""

    def __init__(self, connected):
        self.socket = connected
        self.body_bytes_max = BODY_BYTES_BEFORE_WELCOME
        self._unsent = queue.Queue()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def send(self, frame):
        self._unsent.put(frame.encode())

    def receive(self):
        """The next frame that is no ping; None when the peer has closed."""
        while True:
            header = self._exactly(HEADER.size)
            if header is None:
                return None
            body_bytes, meta_bytes, *fields = HEADER.unpack(header)
            if not meta_bytes <= body_bytes <= self.body_bytes_max:
                raise ValueError(f"a frame of {body_bytes} bytes with {meta_bytes} of meta")
            body = self._exactly(body_bytes)
            if body is None:
                return None
            meta = msgpack.unpackb(body[:meta_bytes]) if meta_bytes else []
            frame = Frame(*fields, meta, body[meta_bytes:])
            if frame.kind != PING:
                return frame
            self.send(Frame(PONG, token=frame.token))

    def close(self):
        """What was sent is written before."""
        self._unsent.put(None)
        self._writer.join()
        self.socket.close()

    def _exactly(self, count):
        parts = []
        while count > 0:
            try:
                part = self.socket.recv(min(count, 1 << 20))
            except ConnectionError:
                return None
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _write(self):
        while (frame := self._unsent.get()) is not None:
            try:
                self.socket.sendall(frame)
            except OSError:
                return
