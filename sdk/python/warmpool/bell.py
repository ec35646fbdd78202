"""Waiting for a channel, or for somebody of this process."""
from __future__ import annotations

import math
import os
import select
from typing import Optional


class Bell:
    """Threads: any may ring, also a signal's handler; one hears."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """Readable from a ring until it is hushed."""
        return self._descriptor

    def ring(self) -> None:
        os.eventfd_write(self._descriptor, 1)

    def hush(self) -> None:
        try:
            os.eventfd_read(self._descriptor)
        except BlockingIOError:  # it was not rung
            pass

    def wait(self) -> None:
        """Until it is rung; hushed then."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.poll()
        self.hush()

    def __del__(self) -> None:
        os.close(self._descriptor)


class Ear:
    """Of one thread."""

    def __init__(self, bell: Bell, descriptor: int) -> None:
        self._bell, self._descriptor = bell.fileno(), descriptor
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        self._poll.register(descriptor, select.POLLIN)

    def listen(self, seconds: Optional[float]) -> tuple[bool, bool]:
        """Waits so long (None: for ever) for either: whether the bell was rung, and whether there is something to read, or the end."""
        heard = [descriptor for descriptor, _ in self._poll.poll(None if seconds is None else math.ceil(seconds * 1000))]
        return self._bell in heard, self._descriptor in heard

    def turn_away(self) -> None:
        """From the channel: it has ended."""
        self._poll.unregister(self._descriptor)
