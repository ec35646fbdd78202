"""What a daemon's frames may hold (docs/protocol.md, sections 2, 4 and 5): anything else is a broken protocol, never ignored."""
from __future__ import annotations

from typing import Any, NamedTuple

from .wire import Frame, ProtocolError
from .words import COME_AGAIN, CONTENT_BITS, DUPLICATE, Feature, GAP, Kind

ACCEPTED_FLAGS = DUPLICATE | 32 | 64  # relaxed, memory-only


class Rule(NamedTuple):
    """meta: a letter for each field, n a number, t a text. needs: the feature that must have been agreed."""

    fields: str = ""
    meta: str = ""
    payload: bool = False
    flags: int = 0
    needs: int = 0


RUN = "id token round attempt"
EITHER = {
    Kind.WELCOME: Rule("id descriptors", "nnnnnntnn"), Kind.ERROR: Rule("", "nt"), Kind.PING: Rule("token"), Kind.PONG: Rule("token"),
}
FOR_WORKER = {
    **EITHER, Kind.TYPE_NAME: Rule("type", "t"), Kind.ASSIGN: Rule(RUN + " type descriptors", "nnnntnnn", payload=True),
    Kind.CANCEL_ATTEMPT: Rule(RUN, "n", needs=int(Feature.CANCEL)), Kind.RECALL: Rule(RUN, needs=int(Feature.RECALL)), Kind.RETIRE: Rule(flags=COME_AGAIN),
    Kind.CHECKPOINT_PLEASE: Rule(RUN, needs=int(Feature.CHECKPOINT)),
}
FOR_CLIENT = {
    **EITHER, Kind.ACCEPTED: Rule("id token", flags=ACCEPTED_FLAGS), Kind.REFUSED: Rule("id token", "ntn"),
    Kind.SETTLED: Rule(RUN + " descriptors", "nnnnn", payload=True), Kind.REPLY: Rule("token", payload=True),
    Kind.PROGRESSED: Rule(RUN, "nt", payload=True, needs=int(Feature.PROGRESS)), Kind.CANCELLED: Rule("id token", "nn"),
    Kind.EVENT: Rule("id token", payload=True, flags=GAP, needs=int(Feature.EVENTS)),
}
NUMBER_MAX = 2**64  # times are i64, but none that a daemon sends is below 0


def check(frame: Frame, rules: dict[Kind, Rule], features: int) -> None:
    """Raises ProtocolError."""
    rule = rules.get(frame.kind)  # type: ignore[call-overload]
    if rule is None or rule.needs & ~features:
        raise ProtocolError(f"a frame of kind {frame.kind} is none that may come here")
    used = rule.fields
    if (frame.flags & ~(rule.flags | (CONTENT_BITS if rule.payload else 0)) or (frame.id and "id" not in used)
            or (frame.token and "token" not in used) or ((frame.round or frame.attempt) and "round" not in used)
            or (frame.type and "type" not in used) or frame.credits or (frame.descriptors and not may_have_one(frame, used, features))
            or (frame.payload and not rule.payload)):
        raise ProtocolError(f"a frame of kind {frame.kind} uses what its kind has not")
    if frame.kind == Kind.PROGRESSED and (frame.payload or frame.flags) and not features & Feature.PARTIAL:
        raise ProtocolError("progressed has a payload, and the feature partial was not agreed")
    if frame.meta:
        check_meta(frame, rule.meta)


def may_have_one(frame: Frame, used: str, features: int) -> bool:
    return "descriptors" in used and frame.descriptors == 1 and (frame.kind == Kind.WELCOME or bool(features & Feature.LARGE))


def check_meta(frame: Frame, letters: str) -> None:
    if len(frame.meta) > len(letters) or not all(map(fits, letters, frame.meta)):
        raise ProtocolError(f"the meta of a frame of kind {frame.kind} is not what its kind has: {str(frame.meta)[:200]}")


def fits(letter: str, value: Any) -> bool:
    if value is None:
        return True
    if letter == "t":
        return isinstance(value, str) and "\0" not in value
    return type(value) is int and 0 <= value < NUMBER_MAX  # no bool
