"""The tables of docs/protocol.md: what a frame of a kind may hold. Every frame that an SDK sends is held against them."""
import itertools
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
FIELDS = ("id", "token", "round", "attempt", "type", "credits", "descriptors")
RANGES = {"u8": 2**8, "u16": 2**16, "u32": 2**32, "u64": 2**64, "time": 2**63}
PAYLOAD_CONTENT = 3  # bits of flags
ELEMENTS_MAX = 4096

with open(os.path.join(PROJECT, "docs", "protocol.md"), encoding="utf-8") as file:
    PAGE = file.read()


def table_below(heading):
    """Rows of the first table below a heading, without its head."""
    lines = PAGE.split(f"\n{heading}\n", 1)[1].splitlines()
    rows = [line for line in itertools.takewhile(lambda line: not line.startswith("#"), lines) if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


class Kind:
    """A row of section 4."""

    def __init__(self, number, name, sender, receiver, feature, fields, flags, meta, payload):
        self.number, self.name, self.feature, self.has_payload = int(number), name, feature, bool(payload)
        self.senders, self.receivers = sender.replace("any", "client or worker or daemon"), receiver
        self.fields = [each for each in re.split(r", ?", fields) if each]
        self.flags = sum(int(each) for each in re.findall(r"\b(?:16|32|64|128)\b", flags))
        self.meta = re.split(r", ?", meta.strip("[]")) if meta else []


KINDS = {int(row[0]): Kind(*row) for row in table_below("## 4. Kinds")}
NUMBERS = {kind.name: number for number, kind in KINDS.items()}
TYPES = {(row[0], row[1]): row[2] for row in table_below("### Fields of meta")}
FEATURES = {row[1]: int(row[0]) for row in table_below("## 3. Features")}


def check(frame, sender, features):
    """Raises AssertionError, with why, for a frame that this sender may not send."""
    kind = KINDS.get(frame.kind)
    assert kind is not None, f"kind {frame.kind} is none of section 4"
    what = f"{kind.name} of a {sender}"
    assert sender in kind.senders, f"{what}: section 4 lets only {kind.senders} send it"
    assert not kind.feature or features & FEATURES[kind.feature], f"{what}: the feature {kind.feature} was not agreed"
    assert not frame.descriptors or features & FEATURES["large"], f"{what}: hands a descriptor over, and the feature large was not agreed"
    if kind.name in ("progress", "progressed"):
        assert features & FEATURES["partial"] or not frame.payload, f"{what}: has a payload, and the feature partial was not agreed"
    for field in FIELDS:
        assert field in kind.fields or getattr(frame, field) == 0, f"{what}: uses the field {field}"
    flags = frame.flags & ~(kind.flags | (PAYLOAD_CONTENT if kind.has_payload else 0))
    assert flags == 0, f"{what}: has the flags {flags:#x}, which section 4 does not name"
    assert kind.has_payload or not frame.payload, f"{what}: has a payload"
    if frame.kind != NUMBERS["request"]:  # its arguments are section 6's
        check_meta(what, kind, frame.meta)


def check_meta(what, kind, meta):
    assert len(meta) <= len(kind.meta), f"{what}: has {len(meta)} fields of meta, there are {len(kind.meta)}"
    for name, value in zip(kind.meta, meta):
        if value is not None:
            check_value(f"{what}: {name} = {value!r}", TYPES[(kind.name, name)], value)


def check_value(what, type_, value):
    count = re.fullmatch(r"(\d+) texts, (\d+) each", type_)
    if count:
        assert isinstance(value, list) and len(value) <= int(count[1]), f"{what} is no list of at most {count[1]}"
        for each in value:
            check_value(what, f"text, {count[2]}", each)
    elif type_.startswith("text"):
        assert isinstance(value, str) and "\0" not in value, f"{what} is no text"
        assert len(value.encode()) <= int(type_.split(", ")[1]), f"{what} is longer than {type_}"
    else:
        span = re.fullmatch(r"(\d+)\.\.(\d+)", type_)
        low, high = (int(span[1]), int(span[2])) if span else (0, RANGES[type_] - 1)
        assert type(value) is int and low <= value <= high, f"{what} is no {type_}"
