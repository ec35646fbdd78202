"""The cases: what a worker and a client in any language must do. Data only; docs/sdk.md says how to read it.

A case is (name, section of docs/protocol.md that it proves, features it needs, steps). What an SDK lacks is said, with the
reason, in sdks.py.
"""
from collections import namedtuple

Case = namedtuple("Case", "name section needs steps")

MS = 1_000_000  # nanoseconds
LARGE = 1 << 20  # payload_bytes_max and result_bytes_max of the driver's welcome
FRAME_BYTES_MAX = LARGE + 65_536
FOREVER = {"heartbeat_interval": 3600 * 1000 * MS}  # of welcome, where no beat shall come
LARGE_MAX = 4 * LARGE  # large_bytes_max, where large is agreed
BODY = "ä" * LARGE  # of two bytes each
HANDS = {**FOREVER, "large": LARGE_MAX}
TREE = {"text": "ä", "list": [1, -2, 1 << 31, None, True], "map": {"k": ""}}

# --- Workers. Steps:
#   start {options}           the driver starts the worker and reads its hello; credits, concurrency: of the environment
#   welcome {fields}          and answers it; features: those that are agreed at most; page: with one; large: large_bytes_max; raw: whole
#                             meta
#   assign n type payload {}  attempt n: payload bytes, text, Json(value) or Packed(value); the type is named before
#   begun n                   its handler has reported the progress "begun"
#   open n                    lets the handler of type gate or gate.reported end, with the result "open"
#   (of assign, hands {}: the payload goes as a descriptor: form "sealed", "file" or "arena", short: by so many bytes than announced)
#   done-large n payload      its answer, of which the result came as a descriptor
#   done n payload            its answer, in this order; of a Json or Packed the value counts
#   failed n outcome text {}  the same; the text must be found in it
#   progress n permille text  the next report of it
#   partial n permille text payload  likewise, with a partial result
#   report flags gauges reason  the next frame is that
#   checkpoint n payload      the next frame is that, of this attempt
#   please n                  its handler is asked for a checkpoint
#   cancel n {}, recall n, retire
#   recalled n returned
#   ping                      is answered by pong, and nothing but beats has come before
#   beat                      the next beat
#   page {field: value}       the worker's page comes to hold that; rises: a field grows from now on
#   silent                    no beat by frame has come
#   broken bytes              after these the worker must end with status 76
#   hang-up, term, exit status; leaves: that frame comes
#   printed text              is found in what it wrote to standard output or error
#   deaf, hears               nothing of it is read, until all that was sent meanwhile has been read by it
WORKERS = [
    Case("hello", "1", (), [("start", {}), ("welcome", {}), ("retire",), ("exit", 0)]),
    Case("hello credits of the environment", "2", ("credits", "given"), [
        ("start", {"credits": 3}), ("hello", {"credits": 3}), ("welcome", {}), ("retire",), ("exit", 0)]),
    Case("frames right behind welcome", "1", (), [
        ("start", {}), ("together",), ("welcome", {}), ("assign", 1, "echo", "at once", {}), ("retire",), ("apart",),
        ("done", 1, "at once"), ("exit", 0)]),
    Case("welcome with nil and without its last fields", "2", (), [
        ("start", {}), ("welcome", {"raw": [1, 1 | 2 | 4 | 16, FRAME_BYTES_MAX, LARGE, None, None]}),
        ("assign", 1, "echo", "hi", {}), ("done", 1, "hi"), ("retire",), ("exit", 0)]),
    Case("welcome with unknown features", "3", (), [
        ("start", {}), ("welcome", {"more_features": 1 << 40}), ("assign", 1, "echo", "hi", {}), ("done", 1, "hi"),
        ("retire",), ("exit", 0)]),
    Case("welcome without any feature", "3", (), [
        ("start", {}), ("welcome", {"features": 0}), ("assign", 1, "steps", "3", {}), ("done", 1, "3"),
        ("retire",), ("exit", 0)]),
    Case("welcome of another version", "1", (), [("start", {}), ("broken", "welcome", {"raw": [2, 0, 70_000, 0, 0, 0]})]),
    Case("error in the place of welcome", "1", (), [
        ("start", {}), ("broken", "frame", {"kind": "error", "meta": [502, "speak version 9"]}), ("printed", "speak version 9")]),
    Case("content bytes", "8", (), [("work",), ("assign", 1, "echo", b"\0\xff\xfe", {}), ("done", 1, b"\0\xff\xfe")]),
    Case("content utf8", "8", (), [("work",), ("assign", 1, "echo", "zwölf 🦊", {}), ("done", 1, "zwölf 🦊")]),
    Case("content json", "8", (), [("work",), ("assign", 1, "echo", ("json", TREE), {}), ("done", 1, ("json", TREE))]),
    Case("content msgpack", "8", ("msgpack",), [
        ("work",), ("assign", 1, "echo.msgpack", ("msgpack", TREE), {}), ("done", 1, ("msgpack", TREE))]),
    Case("empty payload and result", "2", (), [("work",), ("assign", 1, "echo", "", {}), ("done", 1, "")]),
    Case("largest payload and result", "1", (), [
        ("work",), ("assign", 1, "echo", "x" * LARGE, {}), ("done", 1, "x" * LARGE)]),
    Case("result above result_bytes_max", "1", (), [
        ("work",), ("assign", 1, "large", str(LARGE + 1), {}), ("failed", 1, 2, str(LARGE), {}),
        ("assign", 2, "large", "10", {}), ("done", 2, "x" * 10)]),
    Case("json that is none", "2", (), [
        ("work",), ("assign", 1, "echo", b"{", {"content": 2}), ("answered", 1), ("assign", 2, "echo", b"[NaN]", {"content": 2}), ("answered", 2),
        ("assign", 3, "echo", "hi", {}), ("done", 3, "hi")]),
    Case("attempt as its handler sees it", "5", ("context",), [
        ("work",), ("assign", 1, "context", "", {"meta": [300_000 * MS, 600_000 * MS]}),
        ("context", 1, {"type": "context", "timeout_ms": 300_000})]),
    Case("token and charges as its handler sees them", "5", ("charges",), [
        ("work",), ("assign", 1, "context", "", {"meta": [None, None, 3, 2]}), ("context", 1, {"failures": 3, "crashes": 2, "token": "its"})]),
    Case("directory of an attempt", "5", ("directory",), [
        ("work",), ("assign", 1, "context", "", {"meta": [None, None, None, None, "/tmp/of this run"]}),
        ("context", 1, {"directory": "/tmp/of this run"}), ("assign", 2, "context", "", {}), ("context", 2, {"directory": ""})]),
    Case("failure", "8", (), [("work",), ("assign", 1, "fail", "not today", {}), ("failed", 1, 1, "not today", {})]),
    Case("failure for good", "8", (), [("work",), ("assign", 1, "fatal", "never", {}), ("failed", 1, 2, "never", {})]),
    Case("failure with retry_after", "8", (), [
        ("work",), ("assign", 1, "later", "busy", {}), ("failed", 1, 3, "busy", {"retry_after": 1500 * MS})]),
    Case("held", "8", (), [("work",), ("assign", 1, "held", "look", {}), ("failed", 1, 4, "look", {})]),
    Case("handler throws", "5", ("exceptions",), [
        ("work",), ("assign", 1, "throw", "out of luck", {}), ("failed", 1, 1, "out of luck", {}),
        ("assign", 2, "echo", "still here", {}), ("done", 2, "still here")]),
    Case("error text of many bytes", "1", (), [("work",), ("assign", 1, "fail.long", str(2 * LARGE), {}), ("failed", 1, 1, "xxx", {})]),
    Case("unknown type", "5", ("types",), [
        ("work",), ("assign", 1, "no.such.type", "", {}), ("failed", 1, 2, "no.such.type", {}), ("assign", 2, "echo", "hi", {}),
        ("done", 2, "hi")]),
    Case("type number given again", "2", (), [
        ("start", {}), ("welcome", FOREVER), ("assign", 1, "echo", "one", {}), ("done", 1, "one"),
        ("frame", {"kind": "type-name", "type": 0, "meta": ["fail"]}), ("assign", 2, None, "two", {"type": 0}), ("failed", 2, 1, "two", {}),
        ("retire",), ("exit", 0)]),
    Case("progress", "5", (), [
        ("work",), ("assign", 1, "steps", "3", {}), ("progress", 1, 333, "step 1"), ("last-progress", 1, 1000, "step 3"), ("done", 1, "3")]),
    Case("progress of the last report before a long silence", "5", ("progress", "reads-while-running"), [
        ("work",), ("assign", 1, "gate.reported", "", {}), ("progress", 1, 1, "begun"), ("progress", 1, 2, "at the gate"), ("open", 1),
        ("done", 1, "open")]),
    Case("partial result", "5", ("progress", "partial"), [
        ("start", {}), ("welcome", {**FOREVER, "partial": True}), ("assign", 1, "partial", "so far ü", {}),
        ("partial", 1, 1, "begun", "so far ü"), ("done", 1, "so far ü"), ("retire",), ("exit", 0)]),
    Case("partial result of the largest size, and one beyond", "5", ("progress", "partial"), [
        ("start", {}), ("welcome", {**FOREVER, "partial": True}), ("assign", 1, "partial", "x" * 65_536, {}),
        ("partial", 1, 1, "begun", "x" * 65_536), ("done", 1, "x" * 65_536), ("assign", 2, "partial", "x" * 65_537, {}), ("answered-after", 2),
        ("retire",), ("exit", 0)]),
    Case("partial result is not sent where it was not agreed", "3", ("progress", "partial"), [
        ("work",), ("assign", 1, "partial", "so far", {}), ("progress", 1, 1, "begun"), ("done", 1, "so far")]),
    Case("progress is not sent where it was not agreed", "3", ("cancel",), [
        ("start", {}), ("welcome", {"features": 1 | 4}), ("assign", 1, "steps", "5", {}), ("done", 1, "5"), ("ping",), ("retire",), ("exit", 0)]),
    Case("report of gauges, and that it is degraded", "5", ("report",), [
        ("work",), ("assign", 1, "report", "x", {}), ("report", 0, ["queue=17"], ""), ("report", 0, ["queue="], ""),
        ("report", 16, [], "the small one"), ("report", 32, [], ""), ("done", 1, "x")]),
    Case("report is not sent where it was not agreed", "3", ("report",), [
        ("start", {}), ("welcome", {"features": 1 | 4}), ("assign", 1, "report", "x", {}), ("done", 1, "x"), ("ping",), ("retire",), ("exit", 0)]),
    Case("checkpoint is left and handed on", "5", ("checkpoint",), [
        ("work",), ("assign", 1, "checkpoint", "first", {}), ("checkpoint", 1, "first"), ("done", 1, "none"),
        ("assign", 2, "checkpoint", "secondfirst", {"meta": [None, None, None, None, None, 5, 1]}), ("checkpoint", 2, "second"),
        ("done", 2, "first"), ("assign", 3, "echo", "hi", {}), ("done", 3, "hi")]),
    Case("checkpoint of the largest size, and one beyond", "5", ("checkpoint",), [
        ("work",), ("assign", 1, "checkpoint.large", "262145", {}), ("done", 1, "refused"),
        ("assign", 2, "checkpoint.large", "262144", {}), ("checkpoint", 2, "x" * 262144), ("done", 2, "left")]),
    Case("checkpoint that is asked for", "5", ("checkpoint", "asked", "reads-while-running"), [
        ("work",), ("assign", 1, "checkpoint.asked", "", {}), ("begun", 1), ("please", 1), ("checkpoint", 1, "asked"), ("done", 1, "left")]),
    Case("checkpoint-please of an attempt that has ended", "5", ("checkpoint",), [
        ("work",), ("assign", 1, "echo", "hi", {}), ("done", 1, "hi"), ("please", 1), ("ping",), ("assign", 2, "echo", "hi", {}), ("done", 2, "hi")]),
    Case("checkpoint is not sent where it was not agreed", "3", ("checkpoint",), [
        ("start", {}), ("welcome", {"features": 1 | 4}), ("assign", 1, "checkpoint", "x", {}), ("done", 1, "none"), ("ping",), ("retire",),
        ("exit", 0)]),
    Case("ping while a handler runs", "5", ("reads-while-running",), [
        ("work",), ("assign", 1, "gate", "", {}), ("begun", 1), ("ping",), ("open", 1), ("done", 1, "open")]),
    Case("beats while idle, before and after a task", "5", (), [
        ("start", {}), ("welcome", {"heartbeat_interval": 5 * MS}), ("beat",), ("beat",), ("assign", 1, "echo", "hi", {}), ("done", 1, "hi"),
        ("beat",), ("assign", 2, "gate", "", {}), ("begun", 2), ("open", 2), ("done", 2, "open"), ("beat",), ("retire",), ("exit", 0)]),
    Case("beats in its page", "10", ("page",), [
        ("start", {}), ("welcome", {"heartbeat_interval": 5 * MS, "page": True}), ("page", {"beats": "rises", "beat_at": "rises"}),
        ("assign", 1, "gate", "", {}), ("begun", 1), ("page", {"running": "its", "begun": 1, "ended": 0}), ("open", 1), ("done", 1, "open"),
        ("page", {"running": 0, "begun": 1, "ended": 1, "busy_ns": "rises"}), ("page", {"beats": "rises"}), ("ping",), ("silent",),
        ("retire",), ("exit", 0)]),
    Case("beats by frame where a page was promised and is none", "10", ("page",), [
        ("start", {}), ("welcome", {"heartbeat_interval": 5 * MS, "page": "short"}), ("beat",), ("assign", 1, "echo", "hi", {}),
        ("done", 1, "hi"), ("beat",), ("retire",), ("exit", 0)]),
    Case("cancel of what runs", "5", ("cancel",), [
        ("work",), ("assign", 1, "heed", "", {}), ("begun", 1), ("cancel", 1, {}), ("failed", 1, 1, "told to end", {}),
        ("assign", 2, "echo", "hi", {}), ("done", 2, "hi")]),
    Case("cancel with its cause", "5", ("cancel", "cause"), [
        ("work",), ("assign", 1, "heed", "", {}), ("begun", 1), ("cancel", 1, {"meta": [5]}), ("failed", 1, 1, "timeout", {})]),
    Case("cancel of what waits", "5", ("cancel", "credits"), [
        ("work",), ("assign", 1, "gate", "", {}), ("assign", 2, "echo", "hi", {}), ("begun", 1), ("cancel", 2, {}), ("failed", 2, 1, "", {}),
        ("open", 1), ("done", 1, "open"), ("ping",)]),
    Case("cancel of what was answered", "5", ("cancel",), [
        ("work",), ("assign", 1, "echo", "hi", {}), ("done", 1, "hi"), ("cancel", 1, {}), ("ping",), ("assign", 2, "echo", "hi", {}), ("done", 2, "hi")]),
    Case("cancel of another attempt of the same task", "5", ("cancel",), [
        ("work",), ("assign", 1, "gate", "", {}), ("begun", 1), ("cancel", 1, {"attempt": 99}), ("ping",), ("open", 1), ("done", 1, "open")]),
    Case("recall of what waits", "5", ("recall", "credits"), [
        ("work",), ("assign", 1, "gate", "", {}), ("assign", 2, "echo", "two", {}), ("assign", 3, "echo", "three", {}), ("begun", 1),
        ("recall", 2), ("recalled", 2, True), ("open", 1), ("done", 1, "open"), ("done", 3, "three"), ("ping",)]),
    Case("recall of what runs", "5", ("recall",), [
        ("work",), ("assign", 1, "gate", "", {}), ("begun", 1), ("recall", 1), ("recalled", 1, False), ("open", 1), ("done", 1, "open")]),
    Case("recall of what was answered", "5", ("recall",), [
        ("work",), ("assign", 1, "echo", "hi", {}), ("done", 1, "hi"), ("recall", 1), ("ping-after-recall", 1)]),
    Case("several in hand, in order", "5", ("credits",), [
        ("work",), ("assign", 1, "gate", "", {}), *[("assign", n, "echo", f"no. {n}", {}) for n in range(2, 17)], ("begun", 1), ("open", 1),
        ("done", 1, "open"), *[("done", n, f"no. {n}") for n in range(2, 17)], ("ping",)]),
    Case("reads while its own writes block", "1", ("credits",), [
        ("work",), ("deaf",), *[("assign", n, "echo", str(n) * LARGE, {}) for n in range(1, 5)], ("hears",),
        *[("done", n, str(n) * LARGE) for n in range(1, 5)]]),
    Case("several at once", "1", ("concurrency",), [
        ("start", {"concurrency": 2}), ("welcome", FOREVER), ("assign", 1, "gate", "", {}), ("assign", 2, "gate", "", {}),
        ("assign", 3, "echo", "hi", {}), ("begun", 1), ("begun", 2), ("ping",), ("open", 2), ("done", 2, "open"), ("done", 3, "hi"),
        ("open", 1), ("done", 1, "open"), ("retire",), ("exit", 0)]),
    Case("retire with work in hand", "5", ("credits",), [
        ("start", {}), ("welcome", FOREVER), ("assign", 1, "gate", "", {}), ("assign", 2, "echo", "two", {}), ("begun", 1), ("retire",),
        ("open", 1), ("done", 1, "open"), ("done", 2, "two"), ("exit", 0)]),
    Case("channel closed while idle", "1", (), [("start", {}), ("welcome", FOREVER), ("ping",), ("hang-up",), ("exit", 69)]),
    Case("channel closed while a handler runs", "1", (), [
        ("start", {}), ("welcome", FOREVER), ("assign", 1, "heed", "", {}), ("begun", 1), ("hang-up",), ("exit", 69)]),
    Case("channel closed in the place of welcome", "1", (), [("start", {}), ("hang-up",), ("exit", 69)]),
    Case("channel closed within a frame", "1", (), [
        ("start", {}), ("welcome", FOREVER), ("bytes", b"\x10\0\0\0\0\0\x30"), ("hang-up",), ("exit", 69)]),
    Case("frames byte by byte", "2", (), [
        ("start", {}), ("crumbs",), ("welcome", {}), ("assign", 1, "echo", ("json", TREE), {"meta": [MS, MS]}),
        ("assign", 2, "echo", "hi", {}), ("done", 1, ("json", TREE)), ("done", 2, "hi"), ("retire",), ("exit", 0)]),
    Case("stray prints", "1", (), [
        ("work",), ("assign", 1, "print", "", {}), ("done", 1, "printed"), ("assign", 2, "echo", "hi", {}), ("done", 2, "hi"),
        ("printed", "stray words"), ("printed", "of a child")]),
    Case("programs of a handler have neither channel nor token", "1", (), [("work",), ("assign", 1, "surroundings", "", {}), ("apart-from-channel", 1)]),
    Case("SIGTERM while idle", "1", ("term",), [("start", {}), ("welcome", FOREVER), ("ping",), ("term",), ("exit", 0)]),
    Case("SIGTERM with work in hand", "1", ("credits", "term"), [
        ("start", {}), ("welcome", FOREVER), ("assign", 1, "heed", "", {}), ("assign", 2, "gate", "", {}), ("begun", 1), ("ping",), ("term",),
        ("both-failed", 1, 2), ("exit", 0)]),
    Case("leave while idle", "1", ("leave",), [
        ("start", {}), ("welcome", FOREVER), ("ping",), ("term",), ("leaves",), ("retire",), ("exit", 0)]),
    Case("leave with work in hand", "1", ("leave", "credits"), [
        ("start", {}), ("welcome", FOREVER), ("assign", 1, "gate", "", {}), ("assign", 2, "echo", "two", {}), ("begun", 1), ("term",),
        ("leaves",), ("open", 1), ("done", 1, "open"), ("done", 2, "two"), ("retire",), ("exit", 0)]),
    Case("leave, and what waits is recalled", "1", ("leave", "recall", "credits"), [
        ("start", {}), ("welcome", FOREVER), ("assign", 1, "gate", "", {}), ("assign", 2, "echo", "two", {}), ("begun", 1), ("term",),
        ("leaves",), ("recall", 2), ("recalled", 2, True), ("open", 1), ("done", 1, "open"), ("retire",), ("exit", 0)]),
]

# Descriptors (section 13): feature large.
WORKERS += [
    Case("payload and result by descriptor", "13", ("large",), [
        ("start", {}), ("welcome", HANDS), ("assign", 1, "echo", BODY, {"hands": {}}), ("done-large", 1, BODY), ("retire",), ("exit", 0)]),
    Case("payload by descriptor of a file", "13", ("large",), [
        ("start", {}), ("welcome", HANDS), ("assign", 1, "echo", BODY, {"hands": {"form": "file"}}), ("done-large", 1, BODY), ("retire",),
        ("exit", 0)]),
    Case("result of the largest size by descriptor, and one beyond", "13", ("large",), [
        ("start", {}), ("welcome", HANDS), ("assign", 1, "large", str(LARGE_MAX), {}), ("done-large", 1, "x" * LARGE_MAX),
        ("assign", 2, "large", str(LARGE_MAX + 1), {}), ("failed", 2, 2, str(LARGE_MAX), {}), ("assign", 3, "large", str(LARGE), {}),
        ("done", 3, "x" * LARGE), ("retire",), ("exit", 0)]),
    Case("each descriptor goes with its frame", "13", ("large", "credits"), [
        ("start", {}), ("welcome", HANDS), ("assign", 1, "gate", "", {}), ("begun", 1), ("assign", 2, "echo", "a" * LARGE * 2, {"hands": {}}),
        ("assign", 3, "echo", "small", {}), ("assign", 4, "echo", "b" * LARGE * 2, {"hands": {}}), ("open", 1), ("done", 1, "open"),
        ("done-large", 2, "a" * LARGE * 2), ("done", 3, "small"), ("done-large", 4, "b" * LARGE * 2), ("retire",), ("exit", 0)]),
    *[Case(f"{form} that is shorter than announced", "13", ("large",), [
        ("start", {}), ("welcome", HANDS), ("assign", 1, "echo", BODY, {"hands": {"form": form, "short": 1}}), ("failed", 1, 1, "", {}),
        ("assign", 2, "echo", BODY, {"hands": {}}), ("done-large", 2, BODY), ("retire",), ("exit", 0)])
      for form in ("sealed", "file", "arena")],
    Case("an arena holds what it was filled with last", "13", ("large",), [
        ("start", {}), ("welcome", HANDS), *[step for number, letter in ((1, "a"), (2, "b"), (3, "c")) for step in (
            ("assign", number, "echo", letter * LARGE * 2, {"hands": {"form": "arena"}}), ("done-large", number, letter * LARGE * 2))],
        ("retire",), ("exit", 0)]),
    Case("what is recalled takes its descriptor along", "13", ("large", "recall", "credits"), [
        ("start", {}), ("welcome", HANDS), ("assign", 1, "gate", "", {}), ("begun", 1), ("assign", 2, "echo", "a" * LARGE * 2, {"hands": {}}),
        ("assign", 3, "echo", BODY, {"hands": {}}), ("recall", 2), ("recalled", 2, True), ("open", 1), ("done", 1, "open"),
        ("done-large", 3, BODY), ("retire",), ("exit", 0)]),
    Case("broken: a descriptor that is announced and does not come", "13", ("large", "form"), [
        ("start", {}), ("welcome", HANDS), ("frame", {"kind": "type-name", "meta": ["echo"]}),
        ("broken", "frame", {"kind": "assign", "id": 1, "token": 1, "round": 1, "attempt": 1, "descriptors": 1, "meta": [None] * 7 + [9]})]),
    # Who has no such feature is sent the bytes in the frame, as far as one goes.
    Case("payload above payload_bytes_max inline", "13", (), [
        ("start", {}), ("welcome", {**FOREVER, "frame_bytes_max": LARGE_MAX}), ("assign", 1, "size", BODY, {}), ("done", 1, str(2 * LARGE)),
        ("retire",), ("exit", 0)]),
]

# What ends the connection (sections 1 and 2): a peer that finds the daemon at fault just closes.
BROKEN = {
    "body above frame_bytes_max": {"kind": "ping", "body_bytes": FRAME_BYTES_MAX + 1},
    "meta longer than its body": {"kind": "ping", "body_bytes": 1, "meta_bytes": 2},
    "kind of no table": {"kind": 200},
    "kind in the wrong direction": {"kind": "submit"},
    "kind of a feature that was not agreed": {"kind": "recall", "features": 1},
    "reserved flag": {"kind": "retire", "flags": 32},
    "content without payload": {"kind": "ping", "flags": 1},
    "field that its kind does not use": {"kind": "ping", "id": 1},
    "payload where there is none": {"kind": "ping", "payload": b"x"},
    "meta where there is none": {"kind": "ping", "meta": [1]},
    "meta that is no array": {"kind": "type-name", "body": b"\x81\xa1a\x01"},
    "meta with bytes after its array": {"kind": "type-name", "body": b"\x91\xa1ax"},
    "meta with a float": {"kind": "assign", "body": b"\x91\xcb\x3f\xe0" + bytes(6)},
    "meta with a text for a number": {"kind": "assign", "meta": ["x"]},
    "meta with a field more than the table": {"kind": "assign", "meta": [1, 1, 0, 0, "/", 0, 0, 0, 0]},
    "checkpoint longer than its payload": {"kind": "assign", "type": 0, "id": 1, "token": 1, "round": 1, "attempt": 1, "meta": [0, 0, 0, 0, None, 1]},
    "type that was never named": {"kind": "assign", "type": 7},
    "second welcome": {"kind": "welcome", "meta": [1, 7, FRAME_BYTES_MAX, LARGE, 0, 0, None, LARGE]},
}
WORKERS += [
    Case(f"broken: {name}", "2", ("form", "recall") if fields["kind"] == "recall" else ("form",), [
        ("start", {}), ("welcome", {**FOREVER, **({"features": 1} if "features" in fields else {})}),
        ("frame", {"kind": "type-name", "meta": ["echo"]}),
        ("broken", "frame", {key: value for key, value in fields.items() if key != "features"})])
    for name, fields in BROKEN.items()]
WORKERS += [
    Case("broken: assign before welcome", "1", (), [("start", {}), ("broken", "frame", {"kind": "assign"})]),
    Case("broken: assign beyond the credits", "2", ("given",), [
        ("start", {"credits": 2}), ("welcome", FOREVER), ("assign", 1, "heed", "", {}), ("begun", 1), ("assign", 2, "echo", "", {}),
        ("broken", "assign", {})]),
]

# --- Clients. Steps; `as` names what was asked, `is` its request number on this connection:
#   connect {options}            the client program is told to connect; accept: its hello; welcome {fields}
#   do {command}                 it is told: submit, await, cancel, request, close
#   gets kind as {fields}        that frame comes; meta by names; has, lacks: flags
#   sends kind as {fields}       the driver sends it, with the token of what was asked
#   says what as {fields}        the program says it, next of all that is said about `as`; a text must be found in what it says
#   says-no-result as            that there is none, in either way: lost, or refused since the task is done and its result stays
#   quiet                        the client answers a ping and has sent nothing before it
#   again as id                  it comes back for that task, by its key or by its id, and is told that it was accepted
#   gets, body                the payload came as a descriptor; hands as {fields} {form, short}: a result goes as one
#   still as body                what that descriptor holds is what it held
#   received id...               it has told that these results need not be kept
#   drop, vanish, return         the connection ends; nobody listens any more; somebody does again
#   deaf, hears                  nothing of it is read, or again; sends-many kind count {fields}: to no request, and all of it is read
#   no-dial                      nobody dials within the time that the next answer takes


def submit(name, payload="hi", type_="echo", **options):
    return ("do", {"do": "submit", "as": name, "type": type_, "payload": payload, "options": options})


def settled(name, id_, payload="hi"):
    """Accepted before. The result arrives and is said."""
    return [("sends", "settled", name, {"id": id_, "round": 1, "attempt": 1, "payload": payload}),
            ("says", "settled", name, {"verdict": "done", "payload": payload})]


def accepted(name, id_):
    return [("gets", "submit", name, {}), ("sends", "accepted", name, {"id": id_}), ("says", "accepted", name, {"id": str(id_)})]


ID = (5 << 40) | 17  # ids of tasks are above 2^32
KEY = {"key": "its"}  # the one of the first submit of that name
CLIENTS = [
    Case("hello", "1", (), [("connect", {}), ("accept",), ("welcome", {}), ("says", "connected", None, {}), ("close",)]),
    Case("welcome with unknown features and fields left out", "3", (), [
        ("connect", {}), ("accept",), ("welcome", {"raw": [1, 16 | 32 | 1 << 40, FRAME_BYTES_MAX, LARGE, 1024]}), ("says", "connected", None, {}),
        submit("a"), *accepted("a", ID), *settled("a", ID), ("close",)]),
    Case("version refused, with its text", "1", (), [
        ("connect", {}), ("accept",), ("sends", "error", None, {"meta": [502, "this daemon speaks version 9"]}), ("drop",),
        ("says", "unconnected", None, {"code": 502, "text": "version 9"})]),
    Case("welcome of another version", "1", (), [
        ("connect", {}), ("accept",), ("welcome", {"raw": [2, 0, FRAME_BYTES_MAX, LARGE, 1024]}), ("says", "unconnected", None, {"text": "version"})]),
    Case("another frame in the place of welcome", "1", (), [
        ("connect", {}), ("accept",), ("sends", "pong", None, {}), ("sends", "retire", None, {}), ("says", "unconnected", None, {})]),
    Case("garbage in the place of welcome", "1", (), [
        ("connect", {}), ("accept",), ("bytes", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), ("says", "unconnected", None, {})]),
    Case("hung up in the place of welcome", "1", (), [("connect", {}), ("accept",), ("drop",), ("says", "unconnected", None, {})]),
    Case("nobody listens", "1", (), [("vanish",), ("connect", {}), ("says", "unconnected", None, {})]),
    Case("accepted, then settled", "5", (), [
        ("greet", {}), submit("a"), ("gets", "submit", "a", {"type": "echo", "payload": "hi", "has": 16, "lacks": 32 | 64}),
        ("sends", "accepted", "a", {"id": ID}), ("says", "accepted", "a", {"id": str(ID)}), *settled("a", ID), ("quiet",), ("close",)]),
    *[Case(f"content {name}", "8", needs, [
        ("greet", {}), submit("a", payload), ("gets", "submit", "a", {"payload": payload}), ("sends", "accepted", "a", {"id": ID}),
        *settled("a", ID, payload)[:1], ("says", "accepted", "a", {}), ("says", "settled", "a", {"payload": payload})])
      for name, payload, needs in (("bytes", b"\0\xff", ()), ("utf8", "zwölf 🦊", ()), ("json", ("json", TREE), ()),
                                   ("msgpack", ("msgpack", TREE), ("msgpack",)), ("none", "", ()), ("largest", "x" * LARGE, ()))],
    Case("payload above payload_bytes_max", "1", (), [
        ("greet", {}), submit("a", "x" * (2 * LARGE)), ("says", "refused", "a", {"code": 205}), submit("b"), *accepted("b", ID), *settled("b", ID)]),
    Case("payload by descriptor", "13", ("large",), [
        ("greet", {"large": LARGE_MAX}), submit("a", BODY), submit("b"), ("gets", "submit", "a", {"body": BODY}), ("gets", "submit", "b", {}),
        ("sends", "accepted", "a", {"id": ID}), ("says", "accepted", "a", {"id": str(ID)}), ("sends", "accepted", "b", {"id": ID + 1}),
        ("says", "accepted", "b", {"id": str(ID + 1)}), *settled("a", ID), *settled("b", ID + 1), ("close",)]),
    Case("payload by descriptor, cut off before accepted", "13", ("large",), [
        ("greet", {"large": LARGE_MAX}), submit("a", BODY), ("gets", "submit", "a", {"body": BODY}), ("drop",), ("accept",),
        ("welcome", {"large": LARGE_MAX}), ("gets", "submit", "a", {"body": BODY, "meta": KEY}), ("sends", "accepted", "a", {"id": ID}),
        ("says", "accepted", "a", {"id": str(ID)}), *settled("a", ID), ("close",)]),
    Case("payloads in arenas", "13", ("large",), [
        ("greet", {"large": LARGE_MAX, "arena": True}), *[step for name, letter, number in (("a", "a", ID), ("b", "b", ID + 1), ("c", "c", ID + 2))
            for step in (submit(name, letter * LARGE * 2), ("gets", "submit", name, {"body": letter * LARGE * 2}),
                         ("sends", "accepted", name, {"id": number}), ("says", "accepted", name, {}), *settled(name, number))],
        *[step for name, letter in (("d", "d"), ("e", "e")) for step in (
            submit(name, letter * LARGE * 2), ("gets", "submit", name, {"body": letter * LARGE * 2}))],
        ("still", "d", "d" * LARGE * 2), ("still", "e", "e" * LARGE * 2),
        *[step for name, number in (("d", ID + 3), ("e", ID + 4)) for step in (
            ("sends", "accepted", name, {"id": number}), ("says", "accepted", name, {}), *settled(name, number))], ("close",)]),
    Case("payload above large_bytes_max", "13", ("large",), [
        ("greet", {"large": 2 * LARGE}), submit("a", "x" * (2 * LARGE + 1)), ("says", "refused", "a", {"code": 205}), submit("b"),
        *accepted("b", ID), *settled("b", ID)]),
    *[Case(f"result by descriptor of a {form}", "13", ("large",), [
        ("greet", {"large": LARGE_MAX}), submit("a"), *accepted("a", ID),
        ("hands", "a", {"id": ID, "round": 1, "attempt": 1, "payload": BODY}, {"form": form}),
        ("says", "settled", "a", {"verdict": "done", "payload": BODY}), submit("b"), *accepted("b", ID + 1), *settled("b", ID + 1)])
      for form in ("sealed", "file")],
    *[Case(f"result by descriptor of a {form} that is shorter than announced", "13", ("large",), [
        ("greet", {"large": LARGE_MAX}), submit("a"), *accepted("a", ID),
        ("hands", "a", {"id": ID, "round": 1, "attempt": 1, "payload": BODY}, {"form": form, "short": 1}),
        ("says-no-result", "a"),
        submit("b"), *accepted("b", ID + 1), *settled("b", ID + 1)])
      for form in ("sealed", "file")],
    Case("result above result_bytes_max inline", "13", (), [
        ("greet", {"frame_bytes_max": LARGE_MAX}), submit("a"), *accepted("a", ID), *settled("a", ID, BODY)]),
    Case("all wishes", "5", ("wishes",), [
        ("greet", {}), submit("a", priority=3, timeout_ms=1500, deadline_ms=60_000, expiry_ms=5_000_000_000, retries=4, delay_ms=250, key="k-1",
                              tenant="t", labels=["x", "ü"], durability="none", crashes_max=2, keep_result=True, cancel_on_disconnect=True),
        ("gets", "submit", "a", {"has": 16 | 32 | 64, "meta": {
            "priority": 3, "timeout": 1500 * MS, "deadline": 60_000 * MS, "expiry": 5_000_000_000 * MS, "retries": 4, "delay": 250 * MS,
            "run_at": None, "key": "k-1", "tenant": "t", "labels": ["x", "ü"], "durability": 2, "crashes_max": 2, "key_use": None}})]),
    Case("run_at", "5", ("wishes",), [
        ("greet", {}), submit("a", run_at_ms=1_900_000_000_000), ("gets", "submit", "a", {"meta": {"run_at": 1_900_000_000_000 * MS}})]),
    Case("random key of use reconnect", "5", (), [
        ("greet", {}), submit("a"), submit("b"), ("gets", "submit", "a", {"meta": {"key_use": 1}}), ("gets", "submit", "b", {"meta": {"key_use": 1}}),
        ("differ", "a", "b")]),
    Case("no key", "5", (), [("greet", {}), submit("a", auto_key=False), ("gets", "submit", "a", {"meta": {"key": None, "key_use": None}})]),
    Case("types are named once, in order", "2", (), [
        ("greet", {}), *[submit(f"{at}", type_=f"type-{at % 3}") for at in range(6)],
        *[("gets", "submit", f"{at}", {"type": f"type-{at % 3}"}) for at in range(6)]]),
    *[Case(f"refused {code}", "7", (), [
        ("greet", {}), submit("a"), ("gets", "submit", "a", {}), ("sends", "refused", "a", {"meta": [code, f"because of {code}", wait]}),
        ("says", "refused", "a", {"code": code, "text": f"because of {code}", "retry_after_ms": (wait or 0) // MS}),
        submit("b"), *accepted("b", ID), *settled("b", ID)])
      for code, wait in ((101, 1500 * MS), (104, None), (202, None), (299, None), (402, None), (499, None))],
    Case("duplicate", "5", ("duplicate",), [
        ("greet", {}), submit("a", key="k"), ("gets", "submit", "a", {}), ("sends", "accepted", "a", {"id": ID, "flags": 16}),
        ("says", "accepted", "a", {"duplicate": True})]),
    *[Case(f"settled {verdict}", "8", (), [
        ("greet", {}), submit("a"), *accepted("a", ID),
        ("sends", "settled", "a", {"id": ID, "round": 1, "attempt": 2, "meta": [number, cause, 1, 1], "payload": "why"}),
        ("says", "settled", "a", {"verdict": verdict, "cause": said, "payload": "why"})])
      for number, verdict, cause, said in ((1, "dead", 6, "crashed"), (2, "cancelled", 13, "cancelled"), (3, "expired", 16, "expired"),
                                           (4, "skipped", 14, "never-started"))],
    Case("results in another order", "1", (), [
        ("greet", {}), submit("a"), submit("b"), submit("c"), *accepted("a", ID), *accepted("b", ID + 1), *accepted("c", ID + 2),
        *settled("c", ID + 2, "3"), *settled("a", ID, "1"), *settled("b", ID + 1, "2")]),
    Case("accepted and settled at once", "5", (), [
        ("greet", {}), submit("a"), ("gets", "submit", "a", {}), ("together",), ("sends", "accepted", "a", {"id": ID}), *settled("a", ID)[:1],
        ("apart",), ("says", "accepted", "a", {}), ("says", "settled", "a", {"payload": "hi"})]),
    Case("answers that nobody waits for", "1", (), [
        ("greet", {}), submit("a"), *accepted("a", ID), *settled("a", ID), *settled("a", ID)[:1], ("sends", "accepted", "a", {"id": ID}),
        ("sends", "refused", "a", {"meta": [301, "no"]}), ("quiet",), submit("b"), *accepted("b", ID + 1), *settled("b", ID + 1)]),
    Case("answers byte by byte", "2", (), [
        ("greet", {}), ("crumbs",), submit("a"), *accepted("a", ID), *settled("a", ID, ("json", TREE))]),
    Case("ping", "5", (), [("greet", {}), ("quiet",), submit("a"), *accepted("a", ID), ("quiet",), *settled("a", ID)]),
    Case("reads while its own writes block", "1", (), [
        ("greet", {}), ("deaf",), submit("a", "x" * LARGE), ("sends-many", "settled", 64, {"id": ID, "token": 2**63, "payload": "y" * 65_536}),
        ("hears",), ("gets", "submit", "a", {"payload": "x" * LARGE}), ("sends", "accepted", "a", {"id": ID}),
        ("says", "accepted", "a", {}), *settled("a", ID)]),
    Case("progress", "5", ("progress",), [
        ("greet", {}), submit("a", progress=True), ("gets", "submit", "a", {"has": 128}), ("sends", "accepted", "a", {"id": ID}),
        ("says", "accepted", "a", {}),
        *[step for permille in (1, 500, 1000) for step in (
            ("sends", "progressed", "a", {"id": ID, "round": 1, "attempt": 1, "meta": [permille, f"at {permille}"]}),
            ("says", "progressed", "a", {"permille": permille, "text": f"at {permille}"}))],
        *settled("a", ID)]),
    Case("partial results", "5", ("progress", "partial"), [
        ("greet", {"partial": True}), submit("a", progress=True), ("gets", "submit", "a", {"has": 128}), ("sends", "accepted", "a", {"id": ID}),
        ("says", "accepted", "a", {}),
        *[step for permille, part in ((1, "ü"), (2, ("json", TREE)), (3, b"\0\xff")) for step in (
            ("sends", "progressed", "a", {"id": ID, "round": 1, "attempt": 1, "meta": [permille, "t"], "payload": part}),
            ("says", "progressed", "a", {"permille": permille, "text": "t"}), ("says", "partial", "a", {"payload": part}))],
        *settled("a", ID)]),
    Case("partial result that was not agreed", "3", ("progress", "partial"), [
        ("greet", {}), submit("a", progress=True), ("gets", "submit", "a", {"has": 128}),
        ("sends", "progressed", "a", {"id": ID, "round": 1, "attempt": 1, "meta": [1, "t"], "payload": "x"}), ("says", "lost", "a", {}),
        ("no-dial",)]),
    Case("await of a task that has settled", "5", (), [
        ("greet", {}), ("do", {"do": "await", "as": "a", "id": str(ID)}), ("gets", "await", "a", {"id": ID}), *settled("a", ID)]),
    Case("await of no task", "5", (), [
        ("greet", {}), ("do", {"do": "await", "as": "a", "id": str(ID)}), ("gets", "await", "a", {"id": ID}),
        ("sends", "refused", "a", {"id": ID, "meta": [301, "no such task"]}), ("says", "refused", "a", {"code": 301})]),
    Case("cancel", "5", (), [
        ("greet", {}), submit("a"), *accepted("a", ID), ("do", {"do": "cancel", "as": "c", "id": str(ID)}), ("gets", "cancel", "c", {"id": ID}),
        ("sends", "settled", "a", {"id": ID, "round": 1, "attempt": 1, "meta": [2, 13], "payload": ""}),
        ("sends", "cancelled", "c", {"id": ID, "meta": [1, 8]}), ("says", "cancelled", "c", {"rung": "frame", "state": "cancelled"}),
        ("says", "settled", "a", {"verdict": "cancelled"})]),
    Case("cancel of what has settled", "5", (), [
        ("greet", {}), ("do", {"do": "cancel", "as": "c", "id": str(ID)}), ("gets", "cancel", "c", {}),
        ("sends", "refused", "c", {"id": ID, "meta": [305, "it is done"]}), ("says", "refused", "c", {"code": 305})]),
    Case("request", "6", (), [
        ("greet", {}), ("do", {"do": "request", "as": "r", "verb": "show", "arguments": [7]}), ("gets", "request", "r", {"raw_meta": [4, 7]}),
        ("sends", "reply", "r", {"payload": ("json", {"id": 7})}), ("says", "reply", "r", {"document": {"id": 7}})]),
    Case("request refused", "6", (), [
        ("greet", {}), ("do", {"do": "request", "as": "r", "verb": "status", "arguments": []}), ("gets", "request", "r", {"raw_meta": [1]}),
        ("sends", "refused", "r", {"meta": [401, "not you"]}), ("says", "refused", "r", {"code": 401, "text": "not you"})]),
    Case("reply that is no document", "6", ("documents",), [
        ("greet", {}), ("do", {"do": "request", "as": "r", "verb": "status", "arguments": []}), ("gets", "request", "r", {}),
        ("sends", "reply", "r", {"payload": b"{", "flags": 2}), ("says", "lost", "r", {})]),
    Case("result that is not what its label says", "8", ("labels",), [
        ("greet", {}), submit("a"), *accepted("a", ID),
        ("sends", "settled", "a", {"id": ID, "round": 1, "attempt": 1, "payload": b"{", "flags": 2}), ("says", "lost", "a", {}),
        submit("b"), *accepted("b", ID + 1), *settled("b", ID + 1)]),
    Case("received", "5", (), [("greet", {}), submit("a"), *accepted("a", ID), *settled("a", ID), ("close",), ("received", ID)]),
    Case("result that is to be kept is not received", "5", (), [
        ("greet", {}), submit("a", keep_result=True), *accepted("a", ID), *settled("a", ID), ("close",), ("received",)]),
    Case("cut off before accepted, with a key", "5", (), [
        ("greet", {}), submit("a", key="k"), ("gets", "submit", "a", {"meta": {"key": "k"}}), ("drop",), ("accept",), ("welcome", {}),
        ("gets", "submit", "a", {"payload": "hi", "meta": {"key": "k"}}), ("sends", "accepted", "a", {"id": ID, "flags": 16}),
        ("says", "accepted", "a", {"id": str(ID)}), *settled("a", ID), ("quiet",)]),
    Case("cut off before accepted, with a random key", "5", (), [
        ("greet", {}), submit("a"), ("gets", "submit", "a", {}), ("drop",), ("accept",), ("welcome", {}), ("gets", "submit", "a", {"meta": KEY}),
        ("sends", "accepted", "a", {"id": ID}), ("says", "accepted", "a", {}), *settled("a", ID), ("quiet",)]),
    Case("cut off before accepted, without a key", "5", (), [
        ("greet", {}), submit("a", auto_key=False), ("gets", "submit", "a", {}), ("drop",), ("says", "lost", "a", {}), ("accept",),
        ("welcome", {}), ("quiet",), submit("b"), *accepted("b", ID), *settled("b", ID)]),
    Case("cut off after accepted, with a key", "5", (), [
        ("greet", {}), submit("a"), *accepted("a", ID), ("drop",), ("accept",), ("welcome", {}), ("again", "a", ID), *settled("a", ID), ("quiet",)]),
    Case("cut off after accepted, without a key", "5", (), [
        ("greet", {}), submit("a", auto_key=False), *accepted("a", ID), ("drop",), ("accept",), ("welcome", {}), ("gets", "await", "a", {"id": ID}),
        *settled("a", ID), ("quiet",)]),
    Case("cut off with a task that ends with its client", "5", (), [
        ("greet", {}), submit("a", cancel_on_disconnect=True), *accepted("a", ID), ("drop",), ("accept",), ("welcome", {}),
        ("gets", "submit", "a", {"has": 32, "meta": KEY}), ("sends", "accepted", "a", {"id": ID, "flags": 16}), *settled("a", ID)]),
    Case("cut off with a task that has ended with its client", "5", (), [
        ("greet", {}), submit("a", cancel_on_disconnect=True), *accepted("a", ID), ("drop",), ("accept",), ("welcome", {}),
        ("gets", "submit", "a", {"meta": KEY}), ("sends", "accepted", "a", {"id": ID, "flags": 16}),
        ("sends", "settled", "a", {"id": ID, "round": 1, "attempt": 1, "meta": [2, 17]}), ("gets", "submit", "a", {"payload": "hi", "meta": KEY}),
        ("sends", "accepted", "a", {"id": ID + 1}), ("sends", "settled", "a", {"id": ID + 1, "round": 1, "attempt": 1, "payload": "anew"}),
        ("says-settled", "a", "anew")]),
    Case("cut off with several open, in order", "5", (), [
        ("greet", {}), *[submit(name) for name in "abcd"], *[("gets", "submit", name, {}) for name in "abcd"], ("drop",), ("accept",),
        ("welcome", {}), *[("gets", "submit", name, {"meta": KEY}) for name in "abcd"], ("quiet",)]),
    Case("cut off twice", "5", (), [
        ("greet", {}), submit("a"), *[step for _ in range(2) for step in (
            ("gets", "submit", "a", {"meta": KEY}), ("drop",), ("accept",), ("welcome", {}))],
        ("gets", "submit", "a", {"meta": KEY}), ("sends", "accepted", "a", {"id": ID}), ("says", "accepted", "a", {}), *settled("a", ID)]),
    Case("cut off within a result", "2", (), [
        ("greet", {}), submit("a"), *accepted("a", ID), ("part", "settled", "a", {"id": ID, "round": 1, "attempt": 1, "payload": "half"}, 34),
        ("drop",), ("accept",), ("welcome", {}), ("again", "a", ID), *settled("a", ID, "whole")]),
    Case("cut off while it waits for a task", "5", (), [
        ("greet", {}), ("do", {"do": "await", "as": "a", "id": str(ID)}), ("gets", "await", "a", {}), ("drop",), ("accept",), ("welcome", {}),
        ("gets", "await", "a", {"id": ID}), *settled("a", ID)]),
    Case("cut off within a request that only reads", "6", (), [
        ("greet", {}), ("do", {"do": "request", "as": "r", "verb": "status", "arguments": []}), ("gets", "request", "r", {}), ("drop",), ("accept",),
        ("welcome", {}), ("gets", "request", "r", {"raw_meta": [1]}), ("sends", "reply", "r", {"payload": ("json", {})}),
        ("says", "reply", "r", {"document": {}})]),
    Case("cut off within a request that changes something", "6", (), [
        ("greet", {}), ("do", {"do": "request", "as": "r", "verb": "drain", "arguments": [True]}), ("gets", "request", "r", {"raw_meta": [10, True]}),
        ("drop",), ("says", "lost", "r", {}), ("accept",), ("welcome", {}), ("quiet",)]),
    Case("the daemon goes and comes back", "5", (), [
        ("greet", {}), submit("a"), *accepted("a", ID), ("vanish",), submit("b"), ("return",), ("accept",), ("welcome", {}), ("again", "a", ID),
        *accepted("b", ID + 1), *settled("a", ID), *settled("b", ID + 1)]),
    Case("the daemon comes back and refuses", "5", (), [
        ("greet", {}), submit("a"), ("gets", "submit", "a", {}), ("drop",), ("accept",), ("welcome", {}), ("gets", "submit", "a", {"meta": KEY}),
        ("sends", "refused", "a", {"meta": [201, "no class"]}), ("says", "refused", "a", {"code": 201})]),
    Case("nobody comes back", "5", (), [
        ("greet", {"reconnect_ms": 200}), submit("a"), ("gets", "submit", "a", {}), ("vanish",), ("says", "lost", "a", {})]),
    Case("a client that does not dial again", "5", (), [
        ("greet", {"reconnect_ms": 0}), submit("a"), ("gets", "submit", "a", {}), ("drop",), ("says", "lost", "a", {}), ("no-dial",)]),
    *[Case(f"error {code}, after which it dials again", "7", (), [
        ("greet", {}), submit("a"), ("gets", "submit", "a", {}), ("sends", "error", None, {"meta": [code, "come back"]}), ("drop",),
        ("accept",), ("welcome", {}), ("gets", "submit", "a", {"meta": KEY}), ("sends", "accepted", "a", {"id": ID}),
        ("says", "accepted", "a", {}), *settled("a", ID)])
      for code in (104, 507)],
    Case("error 504, after which it does not", "7", (), [
        ("greet", {}), submit("a"), ("gets", "submit", "a", {}), ("sends", "error", None, {"meta": [504, "bad meta"]}), ("drop",),
        ("says", "lost", "a", {"text": "bad meta"}), ("no-dial",)]),
    Case("garbage", "1", (), [
        ("greet", {}), submit("a"), submit("b"), ("gets", "submit", "a", {}), ("gets", "submit", "b", {}), ("bytes", b"\xff" * 64),
        ("says", "lost", "a", {}), ("says", "lost", "b", {}), ("no-dial",)]),
]

BROKEN_FOR_CLIENTS = {
    "body above frame_bytes_max": {"kind": "pong", "body_bytes": FRAME_BYTES_MAX + 1},
    "meta longer than its body": {"kind": "pong", "body_bytes": 1, "meta_bytes": 2},
    "kind of no table": {"kind": 200},
    "kind in the wrong direction": {"kind": "assign"},
    "reserved flag": {"kind": "cancelled", "flags": 16},
    "field that its kind does not use": {"kind": "pong", "type": 1},
    "payload where there is none": {"kind": "accepted", "payload": b"x"},
    "meta that is no array": {"kind": "settled", "body": b"\x81\xa1a\x01"},
    "meta with a text for a number": {"kind": "settled", "meta": ["x"]},
    "meta with a field more than the table": {"kind": "settled", "meta": [0, 0, 0, 0, 0, 0]},
    "second welcome": {"kind": "welcome", "meta": [1, 48, FRAME_BYTES_MAX, LARGE, 1024, 0, None, LARGE]},
}
CLIENTS += [
    Case(f"broken: {name}", "2", (), [
        ("greet", {}), submit("a"), *accepted("a", ID), ("sends-raw", "a", fields), ("says", "lost", "a", {}), ("no-dial",)])
    for name, fields in BROKEN_FOR_CLIENTS.items()]
