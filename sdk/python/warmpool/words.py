"""The words of docs/protocol.md and their numbers (sections 3, 4, 6 and 8)."""
from __future__ import annotations

from enum import IntEnum, IntFlag


class Kind(IntEnum):
    HELLO, WELCOME, ERROR, PING, PONG, TYPE_NAME, STAMPS = range(1, 8)
    SUBMIT, AWAIT, CANCEL, REQUEST, RECEIVED = range(16, 21)
    ACCEPTED, REFUSED, SETTLED, REPLY, PROGRESSED, CANCELLED, EVENT = range(32, 39)
    ASSIGN, CANCEL_ATTEMPT, RECALL, RETIRE, CHECKPOINT_PLEASE = range(48, 53)
    DONE, FAILED, PROGRESS, BEAT, RECALLED, LEAVE, REPORT, CHECKPOINT = range(64, 72)


class Feature(IntFlag):
    CREDITS = 1
    RECALL = 2
    CANCEL = 4
    DESCRIPTORS = 8
    PROGRESS = 16
    EVENTS = 32
    PAGE = 64
    REGISTERED = 128
    REPORT = 256
    DIRECTORY = 512
    CHECKPOINT = 1024
    LARGE = 2048
    PARTIAL = 4096
    STAMPS = 8192
    ARENA = 16384


class Content(IntEnum):
    BYTES, UTF8, JSON, MSGPACK = range(4)


CHECKPOINT_BYTES_MAX = 256 * 1024
PARTIAL_BYTES_MAX = 64 * 1024
CONTENT_BITS = 3  # of the flags of a frame with a payload

# Flags by kind.
WAIT, CANCEL_ON_DISCONNECT, KEEP_RESULT, PROGRESS = 16, 32, 64, 128  # submit; PROGRESS of await too
KEYS_ONLY, DUPLICATE, GAP, RETURNED, COME_AGAIN = 16, 16, 16, 16, 16  # received; accepted; event; recalled; retire
DEGRADED, WELL = 16, 32  # report


class Verdict(IntEnum):
    DONE, DEAD, CANCELLED, EXPIRED, SKIPPED = range(5)


class Outcome(IntEnum):
    DONE, FAILED, FAILED_FOR_GOOD, RETRY_AFTER, HELD = range(5)


CAUSES = ("done", "failed", "failed-for-good", "retry-after", "held", "timeout", "crashed", "memory", "hung", "suspect",
          "recalled", "drained", "interrupted", "cancelled", "never-started", "deadline", "expired", "dropped")
STATES = ("recording", "ready", "delayed", "blocked", "held", "running", "done", "dead", "cancelled", "expired", "skipped")
RUNGS = ("not-running", "frame", "term", "kill")
DURABILITIES = ("full", "relaxed", "none")

VERBS = {name: number for number, name in enumerate((
    "status", "workers", "worker", "show", "ls", "dead-ls", "dead-retry", "dead-remove", "scale", "drain", "stop", "pause",
    "resume", "config", "types", "release", "events", "restart", "heartbeat", "log",
    "dead-export", "clean", "backup", "breakers", "breaker-open", "breaker-close", "alerts", "alerts-ack", "autopsy"), 1)}
# Those that change nothing, so that asking again is safe.
READING_VERBS = frozenset({"status", "workers", "worker", "show", "ls", "dead-ls", "dead-export", "config", "types", "log", "breakers", "alerts",
                           "autopsy"})


def word(words: tuple[str, ...], number: int) -> str:
    """The word of a number; a newer daemon may know more of them."""
    return words[number] if 0 <= number < len(words) else str(number)
