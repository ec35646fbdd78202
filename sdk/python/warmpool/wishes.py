"""What a submit may wish, and how it is told (docs/protocol.md, section 5)."""
from __future__ import annotations

import datetime
from typing import Any, Callable, Optional, Union

from .words import DURABILITIES

Seconds = Union[int, float, datetime.timedelta]
ORDER = ("priority", "timeout", "deadline", "expiry", "retries", "delay", "run_at", "key", "tenant", "labels", "durability",
         "crashes_max", "key_use")
KEY, KEY_USE = ORDER.index("key"), ORDER.index("key_use")
TOO_MUCH = "a tenant has at most 255 bytes, and a task at most 32 labels"
RECONNECT = 1  # key_use of a key that only serves to submit again


def check_name(type_name: str) -> None:
    if not 0 < len(type_name.encode()) <= 255 or "\0" in type_name:
        raise ValueError(f"a task type is 1 to 255 bytes of text: {type_name!r}")


def in_nanoseconds(time: Seconds) -> int:
    if isinstance(time, datetime.timedelta):
        return (time.days * 86_400 + time.seconds) * 1_000_000_000 + time.microseconds * 1000
    return round(time * 1e9)


def wall_nanoseconds(when: Union[Seconds, datetime.datetime]) -> int:
    return round(when.timestamp() * 1e9) if isinstance(when, datetime.datetime) else in_nanoseconds(when)


# What the daemon would take for a broken protocol, and hang up, is refused here. Ranges are its own affair: it refuses.


def number(name: str, value: Any) -> int:
    if not (isinstance(value, int) and 0 <= value < 1 << 64):
        raise ValueError(f"{name} is a whole number from 0: {value!r}")
    return value


def text(name: str, value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"key, tenant and labels are texts without NUL: {value!r}")
    return value


def tenant(name: str, value: Any) -> str:
    if len(text(name, value).encode()) > 255:
        raise ValueError(TOO_MUCH)
    return str(value)


def labels(name: str, value: Any) -> list[str]:
    said = [text(name, each) for each in value]
    if len(said) > 32:
        raise ValueError(TOO_MUCH)
    return said


def time(name: str, value: Seconds) -> int:
    return in_nanoseconds(value)


def date(name: str, value: Union[Seconds, datetime.datetime]) -> int:
    return wall_nanoseconds(value)


def durability(name: str, value: str) -> int:
    return DURABILITIES.index(value)


SAID: dict[str, Callable[[str, Any], Any]] = {
    "priority": number, "timeout": time, "deadline": time, "expiry": time, "retries": number, "delay": time, "run_at": date,
    "key": text, "tenant": tenant, "labels": labels, "durability": durability, "crashes_max": number,
}
HOW = {name: (ORDER.index(name), say) for name, say in SAID.items()}


def check(wishes: dict[str, Any]) -> None:
    if not wishes.keys() <= HOW.keys():
        raise TypeError(f"no such wish: {', '.join(sorted(wishes.keys() - HOW.keys()))}; there are {', '.join(sorted(HOW))}")


def has_lasting_key(meta: list[Any]) -> bool:
    """So that others may ask for the same payload, also when it is done."""
    return len(meta) > KEY and meta[KEY] is not None and (len(meta) <= KEY_USE or meta[KEY_USE] != RECONNECT)


def meta_of(wishes: dict[str, Any], reconnect_key: Optional[str] = None) -> list[Any]:
    """The meta of a submit. Raises TypeError for a wish that does not exist, ValueError for a value that none can have."""
    check(wishes)
    meta: list[Any] = [None] * len(ORDER)
    for name, value in wishes.items():
        if value is not None:
            place, say = HOW[name]
            meta[place] = say(name, value)
    if reconnect_key is not None and meta[KEY] is None:
        meta[KEY], meta[KEY_USE] = reconnect_key, RECONNECT
    return meta
