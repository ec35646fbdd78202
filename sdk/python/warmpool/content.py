"""What a payload or result is as a Python value, and as bytes with their label (docs/protocol.md, section 8)."""
from __future__ import annotations

import json
from typing import Any

import msgpack

from .wire import Buffer
from .words import Content


def no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
DECODER = json.JSONDecoder(parse_constant=no_number)


class Packed:
    """Marks a value that travels as msgpack: bytes inside lists and maps, floats as they are, nan and inf too."""

    def __init__(self, value: Any) -> None:
        self.value = value


def encode(value: Any) -> tuple[Buffer, Content]:
    """bytes as they are, text as UTF-8, Packed as msgpack, everything else as JSON (None is null). Raises
    TypeError or ValueError for what that cannot say."""
    if isinstance(value, (bytes, bytearray)):
        return value, Content.BYTES
    if isinstance(value, memoryview):
        return value.cast("B") if value.c_contiguous else value.tobytes(), Content.BYTES
    if isinstance(value, str):
        return value.encode(), Content.UTF8
    if isinstance(value, Packed):
        return msgpack.packb(value.value), Content.MSGPACK
    try:
        return ENCODER.encode(value).encode(), Content.JSON
    except ValueError as error:
        raise ValueError(f"{error}; nan and inf travel in Packed(value)" if "float" in str(error) else str(error)) from None


def decode(payload: Buffer, content: int) -> Any:
    """A memoryview stays one, where its label is bytes. JSON may be UTF-16 or UTF-32 as well, and begin with a byte order mark. Raises
    ValueError when the bytes are not what their label says: the label is their sender's word."""
    if content == Content.UTF8:
        return str(payload, "utf-8")
    if content == Content.JSON:
        data = bytes(payload)
        return DECODER.decode(data.decode(json.detect_encoding(data)))
    if content == Content.MSGPACK:
        return msgpack.unpackb(payload)
    return payload
