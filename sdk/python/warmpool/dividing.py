"""What handlers print while several tasks are in hand, told apart.

The daemon sees one stream for all of them. So each piece that is known to be of a task goes out between two marks
(docs/protocol.md, section 1), in whole lines, so that those of several tasks do not run into each other. Whose a piece is says a
context variable: it follows a handler into its coroutines and tasks, and into asyncio.to_thread. What goes around this (code in C,
child processes, threads that a handler starts) has no marks and is nobody's.

Where one runs at a time, and others only wait in this process, lines cannot run into each other: there a task's first piece has a
mark before it, its end has one, and nothing is held back in between.
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

OPENS, PICTURE = b"\x1e", "\u241e".encode()
MARK = OPENS + b"%016x\x1f"
NOBODY = MARK % 0
RECORD_BYTES_MAX = select.PIPE_BUF - 2 * len(NOBODY)  # written as one, also beside what others write
UNENDED_BYTES_MAX = 16 << 10  # of a line that has not ended: more than the daemon keeps of one

in_hand: set[int] = set()  # tasks; what one that has ended still prints waits for no end of its line: nobody would flush it
task: contextvars.ContextVar[Optional[int]] = contextvars.ContextVar("warmpool_task", default=None)


class Divided(io.BufferedIOBase):
    """Threads: any. Lines leave when they end; what has no end when it is flushed, or end() says that its task has."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor, self.name, self.mode = descriptor, name, "wb"
        self._lock = threading.RLock()  # a signal's handler may print from inside of a print
        self._unended: dict[int, bytes] = {}

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        with self._lock:
            self._take(task.get(), without_marks(bytes(data)))
        return memoryview(data).nbytes

    def flush(self) -> None:
        """Of the task that asks for it."""
        if (whose := task.get()) is not None:
            self.end(whose)

    def end(self, whose: int) -> None:
        """Order: before the answer of that task."""
        with self._lock:
            self._say(whose, self._unended.pop(whose, b""))

    def forget(self) -> None:
        """In a process that was forked off: what is held is its parent's, and so is who holds the lock."""
        self._lock, self._unended = threading.RLock(), {}

    def _take(self, whose: Optional[int], data: bytes) -> None:
        if whose is None:
            return self._out(data)
        held = self._unended.pop(whose, b"")
        whole = held + data if len(held) < UNENDED_BYTES_MAX else held + data[data.find(b"\n"):] if b"\n" in data else held
        ends = whole.rfind(b"\n") + 1 if whose in in_hand else len(whole)
        if ends < len(whole):
            self._unended[whose] = whole[ends:ends + UNENDED_BYTES_MAX]
        self._say(whose, whole[:ends])

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


class OneByOne(Divided):
    """Where one task runs at a time."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, name)
        self._marked, self._forked = 0, False

    def flush(self) -> None:
        """Nothing is held."""

    def end(self, whose: int) -> None:
        with self._lock:
            if self._marked == whose and not self._forked:
                self._marked = 0
                self._out(NOBODY)

    def forget(self) -> None:
        super().forget()
        self._forked = True  # the marks are its parent's

    def _take(self, whose: Optional[int], data: bytes) -> None:
        if whose is None or whose == self._marked or self._forked:
            self._out(data)
        elif whose == runs:
            self._marked = whose
            self._out(MARK % whose + data)
        else:  # of a coroutine that its task has left behind
            self._out(MARK % whose + data + MARK % self._marked)


divided: list[Divided] = []  # for good
before: list[TextIO] = []  # what they stand for; some of a program may write there still
runs: Optional[int] = None  # the task that was begun last


def without_marks(data: bytes) -> bytes:
    """What is printed is no mark, whatever it looks like: shown as the daemon shows it."""
    return data.replace(OPENS, PICTURE) if OPENS in data else data


def divide(one_by_one: bool) -> None:
    """From here on sys.stdout and sys.stderr mark what they are given within a task. Also for loggers that write there by now."""
    for name in ("stdout", "stderr"):
        was: TextIO = getattr(sys, name)
        if not isinstance(was, io.TextIOWrapper) or isinstance(was.buffer, Divided):
            continue  # a program's own
        was.reconfigure(line_buffering=True, errors="backslashreplace")
        made = (OneByOne if one_by_one else Divided)(was.fileno(), was.name)
        after = io.TextIOWrapper(made, encoding=was.encoding,  # type: ignore[type-var]
                                 errors="backslashreplace", write_through=True)
        setattr(sys, name, after)
        divided.append(made)
        before.append(was)
        for handler in [reference() for reference in logging._handlerList]:  # type: ignore[attr-defined]
            if isinstance(handler, logging.StreamHandler) and handler.stream is was:
                handler.setStream(after)


def begin(whose: int) -> "contextvars.Token[Optional[int]]":
    """From here on what this context prints is of that task."""
    global runs
    runs = whose
    in_hand.add(whose)
    return task.set(whose)


def end(whose: int) -> None:
    in_hand.discard(whose)
    for stream in before:
        try:
            stream.flush()
        except (OSError, ValueError):  # closed by a handler: its own affair
            pass
    for each in divided:
        try:
            each.end(whose)
        except OSError:
            pass


def forget() -> None:
    for each in divided:
        each.forget()


os.register_at_fork(after_in_child=forget)
