"""Plays the daemon for one client program: takes the steps of table.py, one method each."""
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile

import bodies
import page
import wire
from frame import Frame
from table import FRAME_BYTES_MAX, LARGE
from worker_driver import CONTENTS, NUMBER, packed, raw_frame, unpacked

CLIENT_FEATURES = page.FEATURES["progress"] | page.FEATURES["events"]


def as_json(payload):
    """A payload of the table as the programs are told it."""
    if isinstance(payload, bytes):
        return {"hex": payload.hex()}
    if isinstance(payload, str):
        return {"text": payload}
    return {"value" if payload[0] == "json" else "packed": payload[1]}


def same(said, payload):
    """Not each language tells the values of JSON and msgpack apart once they are values."""
    wanted = as_json(payload)
    return said == wanted or (set(said) | set(wanted) <= {"value", "packed"} and list(said.values()) == list(wanted.values()))


class ClientDriver:
    """All cases share the program, as long as they pass; each has a socket and a client of its own."""

    def __init__(self, sdk):
        self.directory = tempfile.mkdtemp(prefix="warmpool-conform.")
        self.cases = 0
        self.errors = open(os.path.join(self.directory, "errors"), "w+b")
        self.process = subprocess.Popen(sdk.command, env={**os.environ, **sdk.environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, start_new_session=True)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.heard, self.line = [], b""
        self._begin()

    def _begin(self):
        self.path = os.path.join(self.directory, f"{self.cases}.sock")
        self.end = self.listener = None
        self.return_()
        self.numbers, self.types, self.keys, self.arenas = {}, [], {}, {}
        self.acknowledged, self.pings, self.crumbs, self.held = [], 0, False, None

    @staticmethod
    def shares(case):
        return True

    def settle(self):
        """Between two cases. Nobody listens any more, so that the client has nothing to wait for."""
        if self.end is not None:
            self.end.close()
            self.end = None
        self.listener.close()
        self.do({"do": "close"})
        self.says("closed", None, {})
        self.cases += 1
        self.heard.clear()
        self._begin()

    def finish(self):
        self.process.stdin.close()
        wire.until(lambda: self.process.poll() is not None, "the program ends")
        assert self.process.returncode == 0, f"it ended with {self.process.returncode}"

    def _own(self, name):
        """What is said late about a case before is not taken for this one's."""
        return None if name is None else f"{self.cases}.{name}"

    # --- Steps: connections ---

    def greet(self, options):
        self.connect(options)
        self.accept()
        self.welcome({name: options[name] for name in ("large", "arena", "frame_bytes_max", "partial") if name in options})
        self.says("connected", None, {})

    def connect(self, options):
        self.do({"do": "connect", "socket": self.path, "reconnect_ms": options.get("reconnect_ms", 60_000)})

    def accept(self):
        connected = wire.until(self._accepted, "it dials", self._listen)
        self.end = wire.End(connected.fileno(), connected.fileno(), "client", connected.close, connected)
        self.types = []
        hello = self.end.take(lambda frame: True, "hello")
        assert hello.kind == NUMBER["hello"], f"its first frame is of kind {hello.kind}"
        assert hello.at(0) == 0 and hello.at(1, 1) <= 1 <= hello.at(2, 1), f"its hello says {hello.meta}"
        assert not (hello.id or hello.token or hello.credits), f"its hello is {hello}"
        self.end.features, self.offered = hello.at(3) & CLIENT_FEATURES, hello.at(3)

    def _accepted(self):
        try:
            return self.listener.accept()[0]
        except BlockingIOError:
            return None

    def _listen(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            selector.select(0.05)

    def welcome(self, fields):
        large = fields.get("large", 0)
        if fields.get("partial"):
            assert self.offered & page.FEATURES["partial"], "it does not say the feature partial"
            self.end.features |= page.FEATURES["partial"]
        if large:
            assert self.offered & page.FEATURES["large"], "it does not say the feature large"
            self.end.features |= page.FEATURES["large"]
        if fields.get("arena"):
            self.end.features |= page.FEATURES["arena"] & self.offered
        meta = fields.get("raw") or [1, self.end.features, fields.get("frame_bytes_max", FRAME_BYTES_MAX), LARGE, 1024, 5 * 10**9,
                                     "conformance", LARGE, *([large] if large else [])]
        self._send(Frame(NUMBER["welcome"], meta=meta).encode())

    def drop(self):
        self.end.flush()
        self.end.close()
        self.end = None

    def vanish(self):
        """Together with its connection, if there is one."""
        self.listener.close()
        os.unlink(self.path)
        if self.end is not None:
            self.drop()

    def return_(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.setblocking(False)
        self.listener.bind(self.path)
        self.listener.listen(8)

    def no_dial(self):
        """Who will not dial again says so at once; what was said before this proves that it has decided."""
        assert self._accepted() is None, "it dialled again"

    def close_(self):
        """The step. (close() is the driver's own end.)"""
        self.do({"do": "close"})
        while not self.end.closed:
            frame = self._next("the end of the connection", ending=True)
            assert frame is None, f"it sent {frame}"
        self.says("closed", None, {})

    # --- Steps: what is sent ---

    def together(self):
        self.held = b""

    def apart(self):
        held, self.held = self.held, None
        self._send(held)

    def crumbs_(self):
        self.crumbs = True

    def _send(self, data):
        if self.held is not None:
            self.held += data
            return
        for at in range(0, len(data), 1 if self.crumbs else len(data)):
            self.end.send_bytes(data[at:at + 1] if self.crumbs else data)
            self.end.flush()

    def bytes(self, data):
        self._send(data)

    def _frame(self, kind, name, fields):
        fields = dict(fields)
        if "payload" in fields:
            fields["payload"], content = packed(fields["payload"])
            fields["flags"] = fields.get("flags", 0) | content
        if name is not None:
            fields["token"] = self.numbers[name]
        return Frame(NUMBER[kind], **fields)

    def sends(self, kind, name, fields):
        self._send(self._frame(kind, name, fields).encode())

    def hands(self, name, fields, body):
        """A result by descriptor."""
        frame = self._frame("settled", name, fields)
        data, frame.payload, frame.descriptors, frame.meta = frame.payload, b"", 1, [0, 0, 0, 0, len(frame.payload)]
        self.end.send_bytes(frame.encode(), bodies.made(data, **body))
        self.end.flush()

    def sends_many(self, kind, count, fields):
        """To nobody. All of it is read, whatever the client is doing."""
        for _ in range(count):
            self._send(self._frame(kind, None, fields).encode())

    def deaf(self):
        self.end.deaf = True

    def hears(self):
        self.end.deaf = False

    def part(self, kind, name, fields, count):
        self._send(self._frame(kind, name, fields).encode()[:count])

    def sends_raw(self, name, fields):
        token = {} if fields["kind"] in ("welcome",) else {"token": self.numbers[name]}
        self._send(raw_frame({**token, **fields}))

    # --- Steps: what comes ---

    def _next(self, what, ending=False):
        """The next frame that is neither the name of a type nor an acknowledgement; those are noted. ending: None at the end."""
        def noted(frame):
            if frame.kind == NUMBER["type-name"]:
                assert frame.type <= len(self.types), f"type number {frame.type} after {len(self.types)} of them: numbers have no gaps"
                self.types[frame.type:frame.type + 1] = [frame.at(0)]
            elif frame.kind == NUMBER["received"]:
                assert len(frame.payload) % 8 == 0, "received holds no ids"
                if not frame.flags & 16:
                    self.acknowledged += [int.from_bytes(frame.payload[at:at + 8], "little") for at in range(0, len(frame.payload), 8)]
            else:
                return True
            return False

        if ending:
            wire.until(lambda: self.end.closed or self.end.left(), what, self.end.pump)
            while self.end.left():
                frame = self.end.left().pop(0)
                if noted(frame):
                    return frame
            return None
        return self.end.take(noted, what)

    def gets(self, kind, name, fields):
        frame = self._next(f"{kind} of {name}")
        assert frame.kind == NUMBER[kind], f"instead of {kind} came {page.KINDS[frame.kind].name}: {frame}"
        self.numbers[name] = frame.token
        if kind == "submit":
            assert frame.type < len(self.types), f"type number {frame.type} was never named"
        meta = dict(zip(page.KINDS[frame.kind].meta, [*frame.meta, *[None] * 20]))
        for field, wanted in fields.items():
            self._check(frame, meta, name, field, wanted)
        self.keys.setdefault(name, meta.get("key"))

    def still(self, name, wanted):
        data, got = packed(wanted)[0], self.arenas[name].bytes()
        assert got == data, f"its body is no more what it was: {str(got)[:300]}"

    def _check(self, frame, meta, name, field, wanted):
        if field == "type":
            assert self.types[frame.type] == wanted, f"its type is {self.types[frame.type]}"
        elif field == "payload":
            data, content = packed(wanted)
            got = unpacked(frame.payload, frame.flags & 3)
            assert got == unpacked(data, content), f"its payload is {CONTENTS[frame.flags & 3]} {str(got)[:300]}"
        elif field == "body":
            data, content = packed(wanted)
            arenas = bool(self.end.features & page.FEATURES["arena"])
            if arenas:
                self.arenas[name] = bodies.Kept(frame.descriptor)
            got = bodies.taken(frame, 13, arenas)
            assert (got, frame.flags & 3) == (data, content), f"its body is {CONTENTS[frame.flags & 3]} {str(got)[:300]}"
        elif field == "has":
            assert frame.flags & wanted == wanted, f"its flags are {frame.flags}, without {wanted}"
        elif field == "lacks":
            assert frame.flags & wanted == 0, f"its flags are {frame.flags}, with {wanted}"
        elif field == "raw_meta":
            assert frame.meta == wanted, f"its meta is {frame.meta}"
        elif field == "meta":
            wanted = {**wanted, **({"key": self.keys.get(name, meta["key"])} if wanted.get("key") == "its" else {})}
            # A default may be said or left out.
            got = {each: meta[each] or None for each in wanted}
            assert got == {each: value or None for each, value in wanted.items()}, f"its meta is {meta}"
        else:
            assert getattr(frame, field) == wanted, f"its {field} is {getattr(frame, field)}, not {wanted}"

    def differ(self, one, other):
        assert self.keys[one] and self.keys[other] and self.keys[one] != self.keys[other], f"keys {self.keys}"

    def again(self, name, task):
        frame = self._next(f"{name} once more")
        self.numbers[name] = frame.token
        if frame.kind == NUMBER["await"]:
            assert frame.id == task, f"it awaits {frame.id}"
            return
        assert frame.kind == NUMBER["submit"], f"instead of submit or await came {frame}"
        key = frame.at(7, None)
        assert key and key == self.keys[name], f"it submits again with the key {key}, before it was {self.keys[name]}"
        self.sends("accepted", name, {"id": task, "flags": 16})

    def quiet(self):
        self.pings += 1
        self._send(Frame(NUMBER["ping"], token=self.pings).encode())
        frame = self._next("pong")
        assert (frame.kind, frame.token) == (NUMBER["pong"], self.pings), f"instead of pong came {frame}"

    def received(self, *tasks):
        assert self.acknowledged == list(tasks), f"it has received {self.acknowledged}"

    # --- Steps: the program ---

    def do(self, command):
        if "as" in command:
            command = {**command, "as": self._own(command["as"])}
        if "payload" in command:
            command = {**command, "payload": as_json(command["payload"])}
        data = (json.dumps(command) + "\n").encode()
        os.set_blocking(self.process.stdin.fileno(), False)
        while data:  # it may say something before it has read a large one
            try:
                data = data[os.write(self.process.stdin.fileno(), data):]
            except BlockingIOError:
                self._turn()

    def says(self, what, name, fields):
        def found():
            for at, each in enumerate(self.heard):
                if each.get("as") == self._own(name):
                    return self.heard.pop(at)
            assert self.process.poll() is None, f"the program ended with {self.process.returncode}"
            return None

        said = wire.until(found, f"the program says {what} of {name}", self._turn)
        assert said["says"] in what.split(" or "), f"instead of {what} it says {str(said)[:500]}"
        for field, wanted in fields.items():
            if field == "text":
                assert wanted in said["text"], f"no {wanted!r} in {said['text']!r}"
            elif field == "payload":
                assert same(said["payload"], wanted), f"it says {str(said)[:500]}"
            else:
                assert said.get(field) == wanted, f"{field} is not {wanted}: it says {str(said)[:500]}"

    def says_no_result(self, name):
        self.says("lost or refused", name, {})

    def says_settled(self, name, payload):
        """A second acceptance, of another id, may be said before."""
        def found():
            self.heard = [each for each in self.heard if (each.get("as"), each["says"]) != (self._own(name), "accepted")]
            return any(each.get("as") == self._own(name) for each in self.heard)

        wire.until(found, f"the program says what became of {name}", self._turn)
        self.says("settled", name, {"verdict": "done", "payload": payload})

    def _turn(self):
        """The program may be writing frames while it is waited for, and the other way round."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if self.end is not None and not self.end.closed and not self.end.deaf:
                selector.register(self.end.read_fd, selectors.EVENT_READ)
            selector.select(0.05)
        if self.end is not None:
            self.end.pump(0)
        try:
            data = os.read(self.process.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return
        *lines, self.line = (self.line + data).split(b"\n")
        self.heard += [json.loads(line) for line in lines]

    # --- The end ---

    def close(self):
        if self.end is not None:
            self.end.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.listener.close()
        self.errors.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def said(self):
        self.errors.seek(0)
        return f"{str(self.heard)[:1000]}\n" + self.errors.read()[-4000:].decode(errors="replace")
