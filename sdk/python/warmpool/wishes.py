"""What a submit may wish, and how it is told (docs/protocol.md, section 5)."""
from __future__ import annotations

import datetime
from typing import Any, Optional, Union

from .words import DURABILITIES

Seconds = Union[int, float, datetime.timedelta]
ORDER = ("priority", "timeout", "deadline", "expiry", "retries", "delay", "run_at", "key", "tenant", "labels", "durability",
         "crashes_max", "key_use")
NUMBERS = ("priority", "retries", "crashes_max")
TIMES = ("timeout", "deadline", "expiry", "delay")
RECONNECT = 1  # key_use of a key that only serves to submit again
NAMES = frozenset(ORDER) - {"key_use"}


def check(wishes: dict[str, Any]) -> None:
    unknown = sorted(set(wishes) - NAMES)
    if unknown:
        raise TypeError(f"no such wish: {', '.join(unknown)}; there are {', '.join(sorted(NAMES))}")


def check_name(type_name: str) -> None:
    if not 0 < len(type_name.encode()) <= 255 or "\0" in type_name:
        raise ValueError(f"a task type is 1 to 255 bytes of text: {type_name!r}")


def check_values(wishes: dict[str, Any]) -> None:
    """What the daemon would take for a broken protocol, and hang up. Ranges are its own affair: it refuses."""
    for name in NUMBERS:
        value = wishes.get(name)
        if value is not None and not (isinstance(value, int) and 0 <= value < 1 << 64):
            raise ValueError(f"{name} is a whole number from 0: {value!r}")
    texts = [wishes.get("key"), wishes.get("tenant"), *(wishes.get("labels") or ())]
    for text in texts:
        if text is not None and (not isinstance(text, str) or "\0" in text):
            raise ValueError(f"key, tenant and labels are texts without NUL: {text!r}")
    if len((wishes.get("tenant") or "").encode()) > 255 or len(wishes.get("labels") or ()) > 32:
        raise ValueError("a tenant has at most 255 bytes, and a task at most 32 labels")


def in_nanoseconds(time: Seconds) -> int:
    if isinstance(time, datetime.timedelta):
        return (time.days * 86_400 + time.seconds) * 1_000_000_000 + time.microseconds * 1000
    return round(time * 1e9)


def wall_nanoseconds(when: Union[Seconds, datetime.datetime]) -> int:
    return round(when.timestamp() * 1e9) if isinstance(when, datetime.datetime) else in_nanoseconds(when)


def meta_of(wishes: dict[str, Any], reconnect_key: Optional[str] = None) -> list[Any]:
    """The meta of a submit. Raises TypeError for a wish that does not exist."""
    check(wishes)
    check_values(wishes)
    said: dict[str, Any] = dict(wishes)
    for name in TIMES:
        if said.get(name) is not None:
            said[name] = in_nanoseconds(said[name])
    if said.get("run_at") is not None:
        said["run_at"] = wall_nanoseconds(said["run_at"])
    if said.get("durability") is not None:
        said["durability"] = DURABILITIES.index(said["durability"])
    if said.get("labels") is not None:
        said["labels"] = list(said["labels"])
    if said.get("key") is None and reconnect_key is not None:
        said["key"], said["key_use"] = reconnect_key, RECONNECT
    return [said.get(name) for name in ORDER]
