"""Frames: a header of 32 bytes, a msgpack array, a payload (docs/protocol.md, section 2)."""
from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional, Union

import msgpack

if TYPE_CHECKING:
    from .large import Descriptor

Buffer = Union[bytes, bytearray, memoryview]

HEADER = struct.Struct("<IHBBQQHHHBB")
HEADER_BYTES = HEADER.size
LENGTHS = struct.Struct("<IH")  # its beginning
BODY_BYTES_BEFORE_WELCOME = 4096
VERSION = 1


class ProtocolError(Exception):
    """The other end broke the protocol, or is no warmpoold."""


class Handed(bytes):
    """A frame with the descriptor that goes with its first byte."""

    descriptor: Descriptor


@dataclass(slots=True)
class Frame:
    """descriptor: of a body that is handed over beside it."""

    kind: int
    flags: int = 0
    id: int = 0
    token: int = 0
    round: int = 0
    attempt: int = 0
    type: int = 0
    credits: int = 0
    descriptors: int = 0
    meta: list[Any] = field(default_factory=list)
    payload: Buffer = b""
    descriptor: Optional[Descriptor] = None

    def encode(self) -> bytes:
        fields = self.meta
        last = len(fields)
        while last and fields[last - 1] is None:
            last -= 1
        meta = msgpack.packb(fields[:last]) if last else b""
        head = HEADER.pack(len(meta) + len(self.payload), len(meta), self.kind, self.flags, self.id, self.token, self.round,
                           self.attempt, self.type, self.credits, self.descriptors)
        if self.descriptor is None:
            return b"".join((head, meta, self.payload))
        handed = Handed(b"".join((head, meta, self.payload)))
        handed.descriptor = self.descriptor
        return handed

    def at(self, place: int, default: Any = 0) -> Any:
        """A field of the meta; one that is left out or nil has its default."""
        value = self.meta[place] if place < len(self.meta) else None
        return default if value is None else value

    @property
    def key(self) -> tuple[int, int, int, int]:
        """What names an attempt."""
        return self.id, self.token, self.round, self.attempt


def about(key: tuple[int, int, int, int], kind: int, **fields: Any) -> Frame:
    """A frame about the attempt of that key."""
    return Frame(kind, id=key[0], token=key[1], round=key[2], attempt=key[3], **fields)


def body_bytes(data: bytes, at: int, body_bytes_max: int) -> int:
    """Of the header that begins there. Raises ProtocolError for what cannot be read."""
    body, meta = LENGTHS.unpack_from(data, at)
    if meta > body or body > body_bytes_max:
        raise ProtocolError(f"a frame of {body} bytes with {meta} of meta, where at most {body_bytes_max} are allowed")
    return int(body)


def decode(data: bytes, at: int, count: int) -> Frame:
    """The frame whose header begins there and whose body has so many bytes."""
    _, meta_bytes, kind, flags, task, token, round_, attempt, type_, credits, descriptors = HEADER.unpack_from(data, at)
    body, end = at + HEADER_BYTES, at + HEADER_BYTES + count
    meta: Any = []
    if meta_bytes:
        try:
            meta = msgpack.unpackb(data[body:body + meta_bytes])
        except ValueError as error:  # all of msgpack's errors are
            raise ProtocolError(f"the meta of a frame of kind {kind} is no msgpack: {error}") from None
        if not isinstance(meta, list):
            raise ProtocolError(f"the meta of a frame of kind {kind} is no array")
    return Frame(kind, flags, task, token, round_, attempt, type_, credits, descriptors, meta, data[body + meta_bytes:end])
