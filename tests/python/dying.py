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
    """One call into C that holds the interpreter's lock for so long, and at most twice that: no thread beats meanwhile."""
    letters = 16

    def hold():
        begun = time.monotonic()
        re.match(r"(a+)+$", "a" * letters + "b")
        return time.monotonic() - begun

    took = min(hold() for _ in range(3))
    while took < float(attempt.payload or 2):  # each letter doubles it
        letters += 1
        took *= 2
    hold()
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
