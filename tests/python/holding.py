#!/usr/bin/python3
"""A worker written from docs/protocol.md alone that holds the interpreter's lock for as long as a task says, and keeps the ledger
of the campaign of worker faults.   holding.py DIRECTORY"""
import os
import sys
import time

import dying
import worker


def noted(handler):
    def run(attempt):
        its = attempt.assign
        line = f"{its.id} {its.round} {its.attempt} {time.monotonic_ns()} {its.token} {os.environ['WARMPOOL_WORKER']}\n"
        with open(sys.argv[1] + "/ran", "a", encoding="ascii") as runs:
            runs.write(line)
        return handler(attempt)
    return run


worker.HANDLERS.update({"work": noted(lambda attempt: b"worked"), "bad": noted(dying.hold_lock)})

if __name__ == "__main__":
    worker.Worker(23, 1).run()
