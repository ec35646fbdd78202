#!/usr/bin/python3
"""A worker written from docs/protocol.md alone that ends, or seems to, in the way its task names; or only looks as if it had."""
import os
import re
import signal
import sys
import time

import worker
from worker import Worker


def ignore_term(attempt):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("deaf", flush=True)
    time.sleep(60)


def hang_up(channel):
    channel.shutdown(2) if hasattr(channel, "shutdown") else channel.close()


def close_channel(attempt):
    hang_up(attempt.worker.channel.socket)
    time.sleep(60)


def break_protocol(attempt):
    attempt.worker.channel.socket.sendall(b"\xff" * 64)
    time.sleep(60)


def hold_lock(attempt):
    """One call into C after the other, each of which holds the interpreter's lock; so no thread beats."""
    until = time.monotonic() + float(attempt.payload or 2)
    while time.monotonic() < until:
        re.match(r"(a+)+$", "a" * 22 + "b")
    return b"held"


def one_call(attempt):
    time.sleep(float(attempt.payload or 2))
    return b"slept"


def print_on(attempt):
    for number in range(20):
        print("line", number, flush=True)
        time.sleep(0.1)
    return b"printed"


def report_on(attempt):
    for number in range(200):
        attempt.progress(5 * number)
        time.sleep(0.02)
    return b"reported"


def say_why(attempt):
    print("about to fail", flush=True)
    raise worker.Failure(attempt.payload.decode())


def by(number):
    return lambda attempt: os.kill(os.getpid(), number) or time.sleep(60)


def stop(attempt):
    os.kill(os.getpid(), signal.SIGSTOP)
    return b"went on"


worker.HANDLERS.update({
    "kill": by(signal.SIGKILL), "segv": by(signal.SIGSEGV), "abrt": by(signal.SIGABRT), "bus": by(signal.SIGBUS),
    "fpe": by(signal.SIGFPE), "exit0": lambda attempt: os._exit(0), "exit1": lambda attempt: os._exit(1),
    "exit7": lambda attempt: os._exit(7), "close": close_channel, "garbage": break_protocol, "stop": stop,
    "deaf": ignore_term, "hold": hold_lock, "call": one_call, "print": print_on, "report": report_on, "raise": say_why,
    "silent": one_call})


class Dying(Worker):
    def read(self):
        while (frame := self.channel.receive()) is not None:
            with self.changed:
                self.take(frame)
                self.changed.notify()
        time.sleep(60)  # lives on, whoever hung up


if __name__ == "__main__":
    print("warm", file=sys.stderr, flush=True)
    Dying(23, 1).run()
