"""What a task prints, drawn from a number: the handler prints it, the test knows it."""
from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from typing import Iterator, NamedTuple, TextIO

LINE_BYTES_MAX = 4096  # that the daemon keeps of a line
OUT, ERR = 1, 2
HOWS = ("text", "bytes", "raw", "threads", "child")
STRANGE = (b"\xff", b"\xc0", b"\x80", b"\x1b[31m", b"\x07", b"\0", b"\t", b"a\rb", "grüße".encode(), "…".encode(), b"\x1e", b"\x1f")
OPENS = b"\x1e"
DEATHS = 1000  # one of so many kills its worker, one of twenty fails


class Step(NamedTuple):
    how: str
    stream: int
    parts: list[bytes]  # of threads: a line for each


class Script(NamedTuple):
    steps: list[Step]
    end: str  # done, failed, killed

    def lines(self, stream: int, hows: tuple[str, ...] = HOWS, marked: bool = False) -> list[tuple[str, bool]]:
        """As they are to be kept: text, and whether it is cut. marked: by a worker that says whose they are."""
        said = b"".join(part for step in self.steps if step.stream == stream and step.how in hows for part in step.parts)
        whole = (picture(said) if marked else said).split(b"\n")
        return [kept(line) for line in whole[:-1]] + [kept(line) for line in whole[-1:] if line]

    def in_order(self) -> bool:
        return all(step.how != "threads" for step in self.steps)


def picture(data: bytes) -> bytes:
    """As a worker that marks writes what could be a mark."""
    return data.replace(OPENS, "\u241e".encode())


def kept(line: bytes) -> tuple[str, bool]:
    """safe_text() of daemon/output: pictures of control characters, U+FFFD for what is no UTF-8, no carriage return at the end."""
    cut = len(line) > LINE_BYTES_MAX
    text = line[:LINE_BYTES_MAX].decode(errors="replace")  # a long line ends in letters
    text = text.removesuffix("\r")
    return "".join(chr(0x2400 + ord(each)) if ord(each) < 32 and each != "\t" else each for each in text), cut


def script(seed: int) -> Script:
    draw = random.Random(seed)
    end = "killed" if draw.randrange(DEATHS) == 0 else "failed" if draw.randrange(20) == 0 else "done"
    steps = [a_step(draw, seed, number) for number in range(draw.choice((0, 0, 1, 1, 2, 3, 4)))]
    if steps and end != "killed" and draw.random() < 0.3:  # a last line without an end
        steps.append(Step("text", draw.choice((OUT, ERR)), [b"%d and no end" % seed]))
    return Script(steps, end)


def a_step(draw: random.Random, seed: int, number: int) -> Step:
    how = draw.choices(HOWS, (60, 20, 15, 5, 0.3))[0]
    stream = draw.choice((OUT, OUT, ERR))
    if how == "threads":
        return Step(how, stream, [b"%d.%d of thread %d\n" % (seed, number, thread) for thread in range(draw.randrange(1, 5))])
    line = b"%d.%d " % (seed, number)
    if how in ("bytes", "raw"):
        line += b"".join(draw.choice(STRANGE) for _ in range(draw.randrange(4)))
    length = draw.choices((0, 10, 200, LINE_BYTES_MAX - len(picture(line)), 6000), (40, 40, 18, 1, 1))[0]
    parts = [line, b"x" * length + b"\n"]
    if draw.random() < 0.1:
        parts.append(b"\n")  # an empty line
    return Step(how, stream, parts if draw.random() < 0.5 else [b"".join(parts)])


def perform(seed: int) -> None:
    """In a worker. Raises where the script ends so."""
    said = script(seed)
    for _ in performed(said):
        pass
    if said.end == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if said.end == "failed":
        raise LookupError(f"{seed} failed")


def performed(said: Script, flushes: bool = True) -> Iterator[None]:
    """In a worker: stops after each part. flushes: also within a line, which ends there if another task prints then."""
    for step in said.steps:
        stream = sys.stdout if step.stream == OUT else sys.stderr
        if step.how == "threads":
            threads = [threading.Thread(target=stream.write, args=(part.decode(),)) for part in step.parts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            continue
        for part in step.parts:
            if step.how == "text":
                stream.write(part.decode())
            else:
                if flushes:
                    stream.flush()
                write_around(step, stream, part, flushes)
            yield


def write_around(step: Step, stream: TextIO, part: bytes, flushes: bool) -> None:
    if step.how == "bytes":
        stream.buffer.write(part)
        if flushes:
            stream.buffer.flush()
    elif step.how == "raw":
        raw(step.stream, part)
    else:
        subprocess.run(["cat"], input=part, stdout=step.stream, check=True)


def raw(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data):]
