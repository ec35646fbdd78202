"""The two kinds of channel: a connected socket, and a pair of FIFOs."""
from __future__ import annotations

import array
import collections
import os
import socket
import stat
from typing import Optional


ROOM = socket.CMSG_SPACE(16)
WIDENED_BYTES_MIN = 128 << 10  # for less than this the kernel's room, about 200 KiB, is enough
WIDE_BYTES = 1 << 20  # so that a mebibyte leaves at once


class SocketStream:
    """A Unix stream socket. Descriptors that come along are kept until somebody takes them; one that was lost because this process
    has as many as it may is -1."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        connected.setblocking(True)
        connected.set_inheritable(False)
        self.descriptors: collections.deque[int] = collections.deque()
        self.takes_descriptors = False  # then they are the kernel's to close
        self._wide = False

    def fileno(self) -> int:
        return self._socket.fileno()

    fileno_in = fileno

    def read(self, count: int) -> bytes:
        """At least one byte; none at the end. Blocks."""
        try:
            if not self.takes_descriptors:
                return self._socket.recv(count)
            data, ancillary, flags, _ = self._socket.recvmsg(count, ROOM, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            return b""
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                whole = len(content) - len(content) % array.array("i").itemsize
                self.descriptors += array.array("i", content[:whole]).tolist()
        if flags & socket.MSG_CTRUNC and not ancillary:
            self.descriptors.append(-1)
        return data

    def write(self, data: memoryview) -> int:
        if len(data) >= WIDENED_BYTES_MIN and not self._wide:
            self._widen()
        return self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def write_with(self, data: memoryview, descriptor: int) -> int:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        return self._socket.sendmsg([data], rights, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def _widen(self) -> None:
        """The kernel doubles what it is told; where the system allows less, less it is."""
        self._wide = True
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < WIDE_BYTES:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WIDE_BYTES // 2)

    def shutdown(self) -> None:
        """Wakes whoever reads."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        self._socket.close()
        while self.descriptors:
            number = self.descriptors.pop()
            if number >= 0:
                os.close(number)


class FifoStream:
    """Two FIFOs that the daemon made for this worker. Python ignores SIGPIPE, so a daemon that has gone is an error."""

    takes_descriptors = False

    def __init__(self, path_in: str, path_out: str) -> None:
        self.descriptors: collections.deque[int] = collections.deque()
        self._in = open_fifo(path_in, os.O_RDONLY)
        try:
            self._out = open_fifo(path_out, os.O_WRONLY)
        except OSError:
            os.close(self._in)
            raise
        os.set_blocking(self._in, True)

    def fileno(self) -> int:
        """Of the end that is written."""
        return self._out

    def fileno_in(self) -> int:
        return self._in

    def read(self, count: int) -> bytes:
        return os.read(self._in, count)

    def write(self, data: memoryview) -> int:
        return os.write(self._out, data)

    def write_with(self, data: memoryview, descriptor: int) -> int:
        raise OSError("no descriptor goes through a FIFO")

    def shutdown(self) -> None:
        """A worker never hangs up itself: it ends."""

    def close(self) -> None:
        for end in (self._in, self._out):
            if end >= 0:
                os.close(end)
        self._in = self._out = -1  # the numbers may be another's from here on


def open_fifo(path: str, mode: int) -> int:
    descriptor = os.open(path, mode | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(descriptor)
    if stat.S_ISFIFO(found.st_mode) and found.st_uid == os.geteuid():
        return descriptor
    os.close(descriptor)
    raise PermissionError(f"{path} is no FIFO of this user; it must be the one that the daemon made for this worker")


def dialled(path: str, seconds: Optional[float] = None) -> socket.socket:
    """Connects. A path of 108 bytes or more is reached through its directory's descriptor."""
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(seconds)
    directory = -1
    try:
        address = path
        if len(os.fsencode(path)) >= 108:
            directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            address = f"/proc/self/fd/{directory}/{os.path.basename(path)}"
        connected.connect(address)
    except BaseException:
        connected.close()
        raise
    finally:
        if directory >= 0:
            os.close(directory)
    return connected
