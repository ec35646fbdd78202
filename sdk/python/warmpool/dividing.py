"""What handlers print while several tasks are in hand, told apart.

The daemon sees one stream for all of them. So each piece that is known to be of a task goes out between two marks
(docs/protocol.md, section 1), in whole lines, so that those of several tasks do not run into each other. Whose a piece is says a
context variable: it follows a handler into its coroutines and tasks, and into asyncio.to_thread. What goes around this (code in C,
child processes, threads that a handler starts) has no marks and is nobody's.
"""
from __future__ import annotations

import contextvars
import io
import logging
import os
import select
import sys
import threading
from typing import Optional, TextIO

MARK = b"\x1e%016x\x1f"
NOBODY = MARK % 0
RECORD_BYTES_MAX = select.PIPE_BUF - 2 * len(NOBODY)  # written as one, also beside what others write
UNENDED_BYTES_MAX = 64 << 10  # of a line without an end, before it leaves as it is

task: contextvars.ContextVar[Optional[int]] = contextvars.ContextVar("warmpool_task", default=None)


class Divided(io.BufferedIOBase):
    """Threads: any. Lines leave when they end; what has no end when end() says that its task has."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor, self.name, self.mode = descriptor, name, "wb"
        self._lock = threading.RLock()  # a signal's handler may print from inside of a print
        self._unended: dict[int, bytes] = {}

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        count, whose = memoryview(data).nbytes, task.get()
        with self._lock:
            if whose is None:
                self._out(bytes(data))
                return count
            whole = self._unended.pop(whose, b"") + bytes(data)
            ends = whole.rfind(b"\n") + 1
            if len(whole) - ends > UNENDED_BYTES_MAX:
                ends = len(whole)
            if ends < len(whole):
                self._unended[whose] = whole[ends:]
            self._say(whose, whole[:ends])
        return count

    def end(self, whose: int) -> None:
        """Order: before the answer of that task."""
        with self._lock:
            self._say(whose, self._unended.pop(whose, b""))

    def _say(self, whose: int, lines: bytes) -> None:
        while lines:
            count = len(lines)
            if count > RECORD_BYTES_MAX:
                count = lines.rfind(b"\n", 0, RECORD_BYTES_MAX) + 1 or lines.find(b"\n") + 1 or count
            self._out(MARK % whose + lines[:count] + NOBODY)
            lines = lines[count:]

    def _out(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._descriptor, data):]


def divide() -> None:
    """From here on sys.stdout and sys.stderr mark what they are given within a task. Also for loggers that write there by now."""
    for name in ("stdout", "stderr"):
        before: TextIO = getattr(sys, name)
        if not isinstance(before, io.TextIOWrapper) or isinstance(before.buffer, Divided):
            continue  # a program's own
        before.flush()
        after = io.TextIOWrapper(Divided(before.fileno(), before.name), encoding=before.encoding,  # type: ignore[type-var]
                                 errors="backslashreplace", write_through=True)
        setattr(sys, name, after)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is before:
                handler.setStream(after)


def end(whose: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        divided = getattr(stream, "buffer", None)
        if isinstance(divided, Divided):
            try:
                divided.end(whose)
            except OSError:  # closed by a handler: its own affair
                pass
