#!/usr/bin/python3
"""A worker written from docs/protocol.md alone: one thread reads, the main one works. A task's type is ANYTHING.HANDLER."""
import collections
import json
import os
import sys
import threading
import time

import frame as wire
from frame import Frame


class Failure(Exception):
    def __init__(self, text, outcome=1, retry_after=None):  # 2: no retry can help, 3: after so many ns
        super().__init__(text)
        self.outcome, self.retry_after = outcome, retry_after


class Attempt:
    def __init__(self, worker, assign, name):
        self.worker, self.assign, self.handler = worker, assign, name.rpartition(".")[2]
        self.payload, self.failures = assign.payload, assign.at(2)
        self.ended = threading.Event()  # by cancel-attempt: a cancel, a timeout, a deadline

    def progress(self, permille, text=None):
        if self.worker.features & wire.FEATURE_PROGRESS:
            self.worker.channel.send(self.assign.answer(wire.PROGRESS, meta=[permille, text]))


def fail(attempt):
    if attempt.failures < int(attempt.payload):
        raise Failure(f"failure {attempt.failures + 1} of {int(attempt.payload)}")
    return b"ok"


def fatal(attempt):
    raise Failure("no retry can help", outcome=2)


def later(attempt):
    if attempt.failures == 0:
        raise Failure("busy", outcome=3, retry_after=int(attempt.payload) * 1_000_000)
    return b"now"


def steps(attempt):
    for step in range(1, int(attempt.payload) + 1):
        attempt.progress(1000 * step // int(attempt.payload), f"step {step}")
    return b"all"


def sleep(attempt):
    if attempt.ended.wait(int(attempt.payload) / 1000):
        raise Failure("told to end")
    return b"slept"


HANDLERS = {"echo": lambda attempt: attempt.payload, "fail": fail, "fatal": fatal, "later": later, "steps": steps,
            "sleep": sleep, "counts": lambda attempt: json.dumps(attempt.worker.counts).encode()}


class Worker:
    def __init__(self, features, credits):
        self.channel = wire.given_channel()
        self.changed = threading.Condition()
        self.waiting, self.running = collections.deque(), None  # attempts in hand
        self.retiring, self.types = False, {}
        self.counts = {"held_most": 0, "returned": 0, "kept": 0}
        self.channel.send(Frame(
            wire.HELLO, id=int(os.environ["WARMPOOL_WORKER"]), token=int(os.environ["WARMPOOL_TOKEN"]), credits=credits,
            meta=[1, 1, 1, features, "worker.py", os.getpid()]))
        welcome = self.channel.receive()
        if welcome is None or welcome.kind != wire.WELCOME:
            sys.exit(f"not welcome: {welcome and welcome.meta}")
        self.features, self.channel.body_bytes_max = welcome.at(1), welcome.at(2)
        self.heartbeat, self.result_bytes_max = welcome.at(5) / 1e9, welcome.at(7)

    def run(self):
        threading.Thread(target=self.read, daemon=True).start()
        while (attempt := self.next()) is not None:
            self.answer(attempt, *self.result_of(attempt))
        self.channel.close()

    def next(self):
        """The next attempt to run, beating while there is none; None when there will be no more."""
        with self.changed:
            while not self.waiting:
                if self.retiring:
                    return None
                if not self.changed.wait(self.heartbeat):
                    self.channel.send(Frame(wire.BEAT))
            self.running = self.waiting.popleft()
            return self.running

    def result_of(self, attempt):
        begun = time.monotonic_ns()
        fields = {"flags": attempt.assign.flags & 3}
        try:
            if attempt.handler not in HANDLERS:
                raise Failure(f"no handler {attempt.handler}", outcome=2)
            kind, payload = wire.DONE, HANDLERS[attempt.handler](attempt)
            if len(payload) > self.result_bytes_max:
                raise Failure(f"a result of {len(payload)} bytes", outcome=2)
        except Exception as error:  # what a handler throws is its task's failure, not the worker's end
            kind, payload = wire.FAILED, str(error).encode()[:self.result_bytes_max]
            fields = {"flags": 1, "meta": [getattr(error, "outcome", 1), getattr(error, "retry_after", None)]}
        return kind, dict(fields, payload=payload, type=min((time.monotonic_ns() - begun) // 1000, 65535))

    def answer(self, attempt, kind, fields):
        with self.changed:
            self.running = None
            self.channel.send(attempt.assign.answer(kind, **fields))

    def read(self):
        while (frame := self.channel.receive()) is not None:
            with self.changed:
                self.take(frame)
                self.changed.notify()
        os._exit(1)  # the daemon is gone: nobody wants what still runs

    def take(self, frame):
        if frame.kind == wire.TYPE_NAME:
            self.types[frame.type] = frame.at(0)
        elif frame.kind == wire.ASSIGN:
            self.waiting.append(Attempt(self, frame, self.types[frame.type]))
            self.counts["held_most"] = max(self.counts["held_most"], len(self.in_hand()))
        elif frame.kind == wire.RETIRE:
            self.retiring = True
        elif frame.kind == wire.PING:
            self.channel.send(Frame(wire.PONG, token=frame.token))
        for attempt in [each for each in self.in_hand() if each.assign.answer(0) == frame.answer(0)]:
            if frame.kind == wire.CANCEL_ATTEMPT:
                attempt.ended.set()
            elif frame.kind == wire.RECALL:
                self.recalled(attempt)

    def recalled(self, attempt):
        if returned := attempt is not self.running:
            self.waiting.remove(attempt)
        self.counts["returned" if returned else "kept"] += 1
        self.channel.send(attempt.assign.answer(wire.RECALLED, flags=16 if returned else 0))

    def in_hand(self):
        return [*self.waiting, *([self.running] if self.running else [])]


if __name__ == "__main__":
    Worker(*(map(int, sys.argv[1:] or ["23", "4"]))).run()
