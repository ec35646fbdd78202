"""One connection of a client: finds the daemon, trusts it or not, greets it."""
from __future__ import annotations

import os
import socket
import struct
import time
from typing import Optional

from . import rules, wire
from .channel import Channel
from .errors import NoDaemon, Refused, WarmpoolError
from .streams import SocketStream, dialled
from .wire import Frame
from .words import Feature, Kind

TYPES_MAX = 4096  # numbers of a direction


class NotTrusted(WarmpoolError, PermissionError):
    """The daemon at a place that nobody named belongs to another user."""


def found_path() -> tuple[str, bool]:
    """Where a daemon is looked for when no path is given, and whether somebody named that place."""
    named = os.environ.get("WARMPOOL_SOCKET")
    if named:
        return named, True
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return f"{runtime}/warmpool/warmpool.sock", False
    user = os.getuid()
    return (f"/tmp/warmpool-{user}/warmpool.sock" if user else "/run/warmpool/warmpool.sock"), False


WANTED = Feature.PROGRESS | Feature.EVENTS | Feature.LARGE | Feature.PARTIAL | Feature.ARENA


class Link:
    def __init__(self, path: Optional[str], name: str, seconds: float) -> None:
        """Raises NoDaemon, NotTrusted, Refused (the daemon said why) or ProtocolError."""
        self.path, named = (path, True) if path is not None else found_path()
        self._types: dict[str, int] = {}
        self._next_type = 0
        self.useful = False  # has it brought an answer?
        connected = self._connect(seconds)
        try:
            if not named:
                check_owner(connected, self.path)
            self.channel = Channel(SocketStream(connected), rules.FOR_CLIENT)
            patience(connected, seconds)
            self._greet(name)
            patience(connected, 0)
        except BaseException:
            connected.close()
            raise

    def _connect(self, seconds: float) -> socket.socket:
        try:
            return dialled(self.path, seconds)
        except OSError as error:
            raise NoDaemon(f"no daemon at {self.path} ({error.strerror or error}); start one with: warmpoold") from error

    def _greet(self, name: str) -> None:
        features = WANTED
        self.channel.send(Frame(Kind.HELLO, meta=[0, wire.VERSION, wire.VERSION, int(features), name, os.getpid()]))
        try:
            welcome = self.channel.receive()
        except BlockingIOError:
            raise NoDaemon(f"what listens at {self.path} does not answer; look with: warmpool status") from None
        if welcome is None:
            raise NoDaemon(f"the daemon at {self.path} hung up")
        if welcome.kind == Kind.ERROR:
            raise Refused(welcome.at(0), welcome.at(1, ""))
        if welcome.kind != Kind.WELCOME:
            raise wire.ProtocolError(f"what listens at {self.path} is no warmpoold")
        if welcome.at(0, wire.VERSION) != wire.VERSION:
            raise wire.ProtocolError(f"the daemon at {self.path} speaks version {welcome.at(0)} of the protocol, which was not offered")
        self.features, self.channel.body_bytes_max = int(features) & welcome.at(1), welcome.at(2)
        self.channel.features = self.features
        self.payload_bytes_max, self.in_flight_max = welcome.at(3), welcome.at(4)
        large = bool(self.features & Feature.LARGE)
        self.large_bytes_max = welcome.at(8) if large else 0
        self.channel.stream.takes_descriptors = large
        self.takes_arenas = bool(self.features & Feature.ARENA)

    def type_number(self, name: str) -> int:
        """Order: before the frame that uses it, by who holds the sender's lock."""
        number = self._types.get(name)
        if number is None:
            number = self._next_type % TYPES_MAX
            self._next_type += 1
            if self._next_type > TYPES_MAX:  # the number is given again
                del self._types[next(iter(self._types))]
            self._types[name] = number
            self.channel.send(Frame(Kind.TYPE_NAME, type=number, meta=[name]))
        return number


def check_owner(connected: socket.socket, path: str) -> None:
    _, user, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if user not in (0, os.getuid()):
        raise NotTrusted(f"the daemon at {path} belongs to user {user}; name its socket if you trust it")


def patience(connected: socket.socket, seconds: float) -> None:
    """Of one read; 0 for ever."""
    whole = int(seconds)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", whole, int((seconds - whole) * 1e6)))


class Backoff:
    """When to dial again: at once, then after 50 ms, doubling to a second, until the patience is over."""

    FIRST, MOST = 0.05, 1.0

    def __init__(self, seconds: float) -> None:
        self._until, self._delay = time.monotonic() + seconds, 0.0

    def next(self) -> Optional[float]:
        left = self._until - time.monotonic()
        if left <= 0:
            return None
        delay, self._delay = self._delay, min(max(self._delay * 2, self.FIRST), self.MOST)
        return min(delay, left)
