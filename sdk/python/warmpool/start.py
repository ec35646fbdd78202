"""What a daemon tells a worker before their first frame (docs/protocol.md, section 1)."""
from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import MutableMapping, Sequence, Union

from .streams import FifoStream, SocketStream

TASKS_MAX = 64  # that a worker may hold, and run at once


class NotStarted(Exception):
    """This process was not started by a daemon."""


@dataclass
class Start:
    stream: Union[SocketStream, FifoStream]
    worker: int
    token: int
    concurrency: int = 1
    credits: int = TASKS_MAX
    worker_class: str = ""  # of one that joins by itself, with its types
    types: Sequence[str] = ()
    marks: bool = False  # of whose the output is are heeded

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> Start:
        """Takes the secret and the channel out of the environment: what a handler starts is not to have them."""
        worker = number(environment, "WARMPOOL_WORKER", 0, 2**64 - 1)
        token = number(environment, "WARMPOOL_TOKEN", 0, 2**64 - 1)
        optional = {"concurrency": 1, "credits": TASKS_MAX}
        for name in optional:
            if f"WARMPOOL_{name.upper()}" in environment:
                optional[name] = number(environment, f"WARMPOOL_{name.upper()}", 1, TASKS_MAX)
        stream = given_stream(environment)
        marks = environment.get("WARMPOOL_OUTPUT") == "marks"
        for name in ("TOKEN", "CHANNEL", "FIFO_IN", "FIFO_OUT", "OUTPUT"):
            environment.pop(f"WARMPOOL_{name}", None)
        return cls(stream, worker, token, **optional, marks=marks)


def given_stream(environment: MutableMapping[str, str]) -> Union[SocketStream, FifoStream]:
    try:
        if "WARMPOOL_FIFO_IN" in environment:
            return FifoStream(environment["WARMPOOL_FIFO_IN"], environment.get("WARMPOOL_FIFO_OUT", ""))
        descriptor = number(environment, "WARMPOOL_CHANNEL", 0, 2**31 - 1)
        return SocketStream(socket.socket(fileno=descriptor))
    except OSError as error:
        raise NotStarted(f"the channel cannot be used: {error}; a program between the daemon and this worker must keep its "
                         "descriptors, or name this worker in `command` itself") from error


def number(environment: MutableMapping[str, str], name: str, least: int, most: int) -> int:
    text = environment.get(name, "")
    if not text:
        raise NotStarted(f"{name} is not set: a worker is started by the daemon, which hands it a channel. Name this command in "
                         "`command` of a worker class; see docs/sdk.md")
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise NotStarted(f"{name}={text} is no whole number from {least} to {most}; it is set by the daemon")
    return int(text)
