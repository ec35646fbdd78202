"""SIGTERM as an exception: a handler on the main thread is interrupted where it stands, but not while it speaks."""
from __future__ import annotations

import faulthandler
import os
import signal
import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator

from .failure import Interrupted


STDERR = 2


def show_stacks_at_term() -> None:
    """From now on SIGTERM also writes where each thread stands to stderr, from C: also where a handler holds the interpreter's lock and
    no Python code runs any more. What it did before it does after that. Order: after the handler of SIGTERM was set."""
    faulthandler.register(signal.SIGTERM, file=STDERR, all_threads=True, chain=True)


@contextmanager
def stacks_at_faults() -> Iterator[None]:
    """A fault in C code (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) writes where each thread stands, and ends the process as before."""
    ours = not faulthandler.is_enabled()
    if ours:
        faulthandler.enable(file=STDERR, all_threads=True)
    try:
        yield
    finally:
        if ours:
            faulthandler.disable()


def forget_stacks() -> None:
    """In a process that a handler forked: what SIGTERM does there is what Python was told, and nothing that came from C."""
    if faulthandler.unregister(signal.SIGTERM):
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


os.register_at_fork(after_in_child=forget_stacks)  # for good, so once: a worker may serve many daemons


class Interruption:
    """asked: the worker was told to end. Only the first SIGTERM interrupts, and none where `interrupts` is off."""

    def __init__(self, interrupts: bool = True) -> None:
        self.asked, self._interrupts = False, interrupts
        self._inside = self._guarded = False
        self._put_off = False  # it came while the handler spoke, and is raised when that is said: once

    def call(self, handler: Callable[[], Any]) -> Any:
        """Calls a handler on the main thread."""
        try:
            try:
                self._inside = True
                if self.asked and self._interrupts:
                    raise Interrupted
                return handler()
            finally:
                self._inside = False
        except Interrupted:  # also one that came in the line above
            self._inside = False
            raise

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """For what must not stop half-way: a frame that is half written breaks the channel."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._guarded = True
        try:
            yield
        finally:
            self._guarded = False
        if self._put_off:
            self._put_off = False
            raise Interrupted

    @contextmanager
    def listening(self, wake: Callable[[], None]) -> Iterator[None]:
        """wake: called in the signal handler, so it takes no lock."""
        def on_term(*_: Any) -> None:
            first, self.asked = not self.asked, True
            wake()
            if first and self._interrupts and self._inside:
                if not self._guarded:
                    raise Interrupted
                self._put_off = True

        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a worker runs on the main thread, where signals come")
        before = signal.signal(signal.SIGTERM, on_term)
        if self._interrupts:
            show_stacks_at_term()
        try:
            with stacks_at_faults():
                yield
        finally:
            faulthandler.unregister(signal.SIGTERM)
            signal.signal(signal.SIGTERM, before)
