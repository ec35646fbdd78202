"""Plays the daemon for one worker process: takes the steps of table.py, one method each."""
import array
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import msgpack

import bodies
import page
import wire
from table import FRAME_BYTES_MAX, LARGE
from frame import Frame

CONTENTS = ("bytes", "utf8", "json", "msgpack")
NUMBER = page.NUMBERS
WORKER, TOKEN = (9 << 40) | 5, 0xF0E1D2C3B4A59687
NOT_OVER_FIFOS = page.FEATURES["recall"] | page.FEATURES["descriptors"] | page.FEATURES["page"] | page.FEATURES["large"]
PAGE_FIELDS = {row[3]: int(row[0]) for row in page.table_below("## 10. The page of a worker")}
PAGE_BYTES = 4096


def packed(payload):
    """A payload of the table as (bytes, number of its content)."""
    if isinstance(payload, bytes):
        return payload, 0
    if isinstance(payload, str):
        return payload.encode(), 1
    kind, value = payload
    return (json.dumps(value).encode(), 2) if kind == "json" else (msgpack.packb(value), 3)


def unpacked(data, content):
    """The same back; what JSON and msgpack hold is compared as values."""
    if content == 0:
        return data
    if content == 1:
        return data.decode()
    return (CONTENTS[content], json.loads(data) if content == 2 else msgpack.unpackb(data))


class WorkerDriver:
    """Cases that begin with `work` share a worker, as long as they pass."""

    def __init__(self, sdk, transport):
        self.sdk, self.transport = sdk, transport
        self.cases = 0
        self.directory = tempfile.mkdtemp(prefix="warmpool-conform.")
        self.output = open(os.path.join(self.directory, "output"), "w+b")
        self.process = self.end = self.hello = self.page_map = None
        self.agreed, self.types, self.attempts, self.gates, self.opened = 0, {}, {}, {}, []
        self.crumbs, self.held, self.pings = False, None, 0

    @staticmethod
    def shares(case):
        return case.steps[0] == ("work",)

    def settle(self):
        """Between two cases: nothing more has come of the first."""
        self.ping()
        self.cases += 1
        self.attempts, self.gates = {}, {}

    # --- The channel ---

    def start(self, options):
        environment = {**os.environ, "WARMPOOL_WORKER": str(WORKER), "WARMPOOL_TOKEN": str(TOKEN), "WARMPOOL_SLOT": "worker-0"}
        environment["WARMPOOL_CREDITS"] = "64"  # some offer to hold one unless told
        environment.pop("WARMPOOL_CONCURRENCY", None)
        for name in ("credits", "concurrency"):
            if name in options:
                environment[f"WARMPOOL_{name.upper()}"] = str(options[name])
        command, given = self.sdk.command, []
        if self.transport == "connect":
            command = self._make_listener(environment, options)
        else:
            given = self._make_fifos(environment) if self.transport == "fifo" else self._make_socket(environment)
        environment.update(self.sdk.environment)
        self.process = subprocess.Popen(command, env=environment, pass_fds=given, stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output, start_new_session=True)
        for descriptor in given:
            os.close(descriptor)
        if self.transport == "connect":
            self._accept()
        self.hello = self.end.take(lambda frame: True, "hello")
        assert self.hello.kind == NUMBER["hello"], f"its first frame is of kind {self.hello.kind}"
        known = (0, 0) if self.transport == "connect" else (WORKER, TOKEN)
        assert (self.hello.id, self.hello.token) == known, f"its hello has the id and the token {self.hello.id, self.hello.token}, not {known}"
        if self.transport == "connect":
            assert self.hello.at(6) == "own" and self.hello.at(7), f"its hello names no class and types: {self.hello.meta}"
            assert max(self.hello.at(8) or 0, 1) == options.get("concurrency", 1), f"its hello says {self.hello.meta}"
        assert self.hello.at(0) == 1 and self.hello.at(1, 1) <= 1 <= self.hello.at(2, 1), f"its hello says {self.hello.meta}"
        assert self.hello.credits <= 64, f"credits {self.hello.credits}"
        if self.transport == "fifo":
            for name in ("in", "out"):
                os.unlink(os.path.join(self.directory, name))

    def _make_listener(self, environment, options):
        """Returns the command of a worker that connects there."""
        for name in ("WORKER", "TOKEN", "SLOT"):
            environment.pop(f"WARMPOOL_{name}")
        path = os.path.join(self.directory, "warmpool.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        words = {"SOCKET": path, "CONCURRENCY": str(options.get("concurrency", 1))}
        words = [words.get(word, word) for word in self.sdk.connects]
        at = self.sdk.command.index("--") if "--" in self.sdk.command else len(self.sdk.command)
        return [*self.sdk.command[:at], *words, *self.sdk.command[at:]]

    def _accept(self):
        self.listener.settimeout(wire.PATIENCE)
        self.socket, _ = self.listener.accept()
        self.listener.close()
        self.mark = re.escape(f"socket:[{os.fstat(self.socket.fileno()).st_ino}]")  # of our end: who has it has both
        self._own(self.socket.fileno(), self.socket.fileno(), self.socket.close, self.socket)

    def _make_socket(self, environment):
        ours, theirs = socket.socketpair()
        self.mark = re.escape(f"socket:[{os.fstat(theirs.fileno()).st_ino}]")
        environment["WARMPOOL_CHANNEL"] = str(theirs.fileno())
        self._own(ours.fileno(), ours.fileno(), ours.close, ours)
        self.socket = ours
        return [theirs.detach()]

    def _make_fifos(self, environment):
        self.mark = rf"{re.escape(self.directory)}/(in|out)\b"
        ends = []
        for name in ("in", "out"):
            path = os.path.join(self.directory, name)
            os.mkfifo(path, 0o600)
            environment[f"WARMPOOL_FIFO_{name.upper()}"] = path
            # Both ways at once: then neither end waits for the other to be opened.
            both = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            ends.append((os.open(path, (os.O_WRONLY if name == "in" else os.O_RDONLY) | os.O_NONBLOCK), both))
        (write_fd, self._both), (read_fd, both_out) = ends
        os.close(both_out)
        # A FIFO that nobody has opened to write yet reads as ended.
        self._writer_seen = os.open(os.path.join(self.directory, "out"), os.O_WRONLY | os.O_NONBLOCK)
        self._own(read_fd, write_fd, lambda: [os.close(each) for each in (read_fd, write_fd)])
        return []

    def _own(self, read_fd, write_fd, close, connected=None):
        self.end = wire.End(read_fd, write_fd, "worker", close, connected)

    def _greeted(self):
        """Of FIFOs: from the hello on both ends are the worker's alone."""
        if self.transport == "fifo" and self._both is not None:
            os.close(self._both)
            os.close(self._writer_seen)
            self._both = None

    def _send(self, data):
        if self.held is not None:
            self.held += data
        elif self.crumbs:
            for at in range(len(data)):
                self.end.send_bytes(data[at:at + 1])
                self.end.flush()
        else:
            self.end.send_bytes(data)

    def _take(self, kind, what):
        """The next frame that is no beat."""
        frame = self.end.take(lambda frame: frame.kind != NUMBER["beat"], what)
        assert frame.kind == NUMBER[kind], f"instead of {what} came {page.KINDS[frame.kind].name}: {frame}"
        return frame

    # --- Steps: greeting and ends ---

    def work(self):
        if self.process is None:
            self.start({})
            self.welcome({"heartbeat_interval": 3600 * 10**9})

    def finish(self):
        """Of a worker that was shared."""
        self.retire()
        self.exit(0)

    def hello_(self, fields):
        for name, value in fields.items():
            assert getattr(self.hello, name) == value, f"its hello says {name} {getattr(self.hello, name)}, not {value}"

    def welcome(self, fields):
        frame, descriptor = self._welcome(dict(fields))
        if descriptor is None:
            return self._send(frame.encode())
        data = frame.encode()
        self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))])
        os.close(descriptor)

    def _welcome(self, fields):
        self._greeted()
        partial = fields.pop("partial", False)
        raw, with_page, large = fields.pop("raw", None), fields.pop("page", None), fields.pop("large", 0)
        connects = self.transport == "connect"
        offered = fields.pop("features", 1 | 2 | 4 | 16 | 256 | 1024 | (128 if connects else 0)) | ((8 | 64) if with_page else 0)
        offered |= page.FEATURES["partial"] if partial else 0
        offered |= page.FEATURES["descriptors"] | page.FEATURES["large"] if large else 0
        self.agreed = self.hello.at(3) & offered & (~NOT_OVER_FIFOS if self.transport == "fifo" else ~0)
        self.end.features = self.agreed
        if raw is not None:
            return Frame(NUMBER["welcome"], id=WORKER if connects else 0, meta=raw), None
        assert not partial or self.agreed & page.FEATURES["partial"], "it does not say the feature partial"
        assert not large or self.agreed & page.FEATURES["large"], "it does not say the feature large"
        meta = [1, self.agreed | fields.get("more_features", 0), fields.get("frame_bytes_max", FRAME_BYTES_MAX), LARGE, 1024,
                fields.get("heartbeat_interval", 5 * 10**9), "conformance", LARGE, *([large] if large else [])]
        if not with_page:
            return Frame(NUMBER["welcome"], id=WORKER if connects else 0, meta=meta), None
        assert self.agreed & 64, "it does not say the feature page"
        return Frame(NUMBER["welcome"], id=WORKER if connects else 0, meta=meta, descriptors=1), self._make_page(with_page)

    def _make_page(self, how):
        descriptor = os.memfd_create("page", os.MFD_ALLOW_SEALING)
        if how == "short":
            return descriptor
        os.ftruncate(descriptor, PAGE_BYTES)
        os.pwrite(descriptor, struct.pack("<8sIIQ", b"WPPAGE01", 1, PAGE_BYTES, WORKER), 0)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        self.page_map = os.dup(descriptor)
        return descriptor

    def together(self):
        self.held = b""

    def deaf(self):
        self.end.deaf = True

    def hears(self):
        self.end.flush()  # it has read all, although nothing that it wrote was
        self.end.deaf = False

    def apart(self):
        held, self.held = self.held, None
        self._send(held)

    def crumbs_(self):
        self.crumbs = True

    def hang_up(self):
        self.end.flush()
        self._greeted()
        self.end.close()

    def term(self):
        self.process.send_signal(signal.SIGTERM)

    def leaves(self):
        self._take("leave", "leave")

    def exit(self, status):
        if self.end._close is not None:
            self.end.await_end()
            assert not [each for each in self.end.left() if each.kind != NUMBER["beat"]], f"it also sent {self.end.left()}"
        wire.until(lambda: self.process.poll() is not None, "it ends")
        assert self.process.returncode == status, f"it ended with {self.process.returncode}, not {status}"

    def broken(self, what, fields, *_):
        if what == "welcome":
            self._send(self._welcome(dict(fields))[0].encode())
        elif what == "assign":
            self.assign(2, "echo", "", {})
        else:
            self._greeted()
            self._send(raw_frame(fields))
        self.end.await_end()
        answers = [each for each in self.end.left() if each.kind not in (NUMBER["beat"], NUMBER["failed"])]
        assert not answers, f"it answered {answers}"
        wire.until(lambda: self.process.poll() is not None, "it ends")
        assert self.process.returncode == 76, f"it ended with {self.process.returncode}, not 76 (broken protocol)"

    def printed(self, text):
        wire.until(lambda: text.encode() in self._output(), f"it wrote {text!r}")

    def _output(self):
        self.output.seek(0)
        return self.output.read()

    # --- Steps: attempts ---

    def frame(self, fields):
        self._send(raw_frame(fields))

    def bytes(self, data):
        self._send(data)

    def assign(self, number, type_, payload, options):
        unique = self.cases * 100 + number
        if type_ in ("gate", "gate.reported"):
            payload = self.gates[number] = os.path.join(self.directory, f"gate-{unique}")
            os.mkfifo(payload, 0o600)
        if type_ is not None and type_ not in self.types:
            self.types[type_] = len(self.types)
            self._send(Frame(NUMBER["type-name"], type=self.types[type_], meta=[type_]).encode())
        data, content = packed(payload)
        frame = Frame(NUMBER["assign"], id=(3 << 40) | unique, token=TOKEN - unique, round=2, attempt=unique,
                      type=options.get("type", self.types.get(type_)), flags=options.get("content", content), meta=options.get("meta", []),
                      payload=data)
        self.attempts[number] = frame
        if "hands" not in options:
            return self._send(frame.encode())
        descriptor = bodies.made(data, **options["hands"])
        frame.descriptors, frame.payload, frame.meta = 1, b"", [None] * 7 + [len(data)]
        assert self.held is None and not self.crumbs
        self.end.send_bytes(frame.encode(), descriptor)

    def _about(self, number, kind, **fields):
        return self.attempts[number].answer(NUMBER[kind], **fields)

    def _its(self, number, kind, what):
        frame, assign = self._take(kind, what), self.attempts[number]
        for field in ("id", "token", "round", "attempt"):
            assert getattr(frame, field) == getattr(assign, field), f"{what}: its {field} is {getattr(frame, field)}, not {getattr(assign, field)}"
        return frame

    def begun(self, number):
        if self.agreed & page.FEATURES["progress"]:
            frame = self._its(number, "progress", f"progress of attempt {number}")
            assert frame.at(1, "") == "begun", frame

    def open(self, number):
        gate = os.open(self.gates[number], os.O_RDWR | os.O_NONBLOCK)
        os.write(gate, b"open\n")
        self.opened.append(gate)  # closed at the end: what is in a FIFO that nobody has open is lost

    def done(self, number, payload):
        frame = self._its(number, "done", f"done of attempt {number}")
        got, (data, content) = unpacked(frame.payload, frame.flags & 3), packed(payload)
        assert got == unpacked(data, content), f"the result is {CONTENTS[frame.flags & 3]} {str(got)[:300]}"

    def done_large(self, number, payload):
        frame = self._its(number, "done", f"done of attempt {number}, by descriptor")
        (data, content), got = packed(payload), bodies.taken(frame, 0)
        assert (got, frame.flags & 3) == (data, content), f"the result is {CONTENTS[frame.flags & 3]} {str(got)[:300]}"

    def answered(self, number):
        frame = self.end.take(lambda frame: frame.kind != NUMBER["beat"], "an answer")
        assert frame.kind in (NUMBER["done"], NUMBER["failed"]) and frame.token == self.attempts[number].token, frame

    def failed(self, number, outcome, text, fields):
        frame = self._its(number, "failed", f"failed of attempt {number}")
        error = frame.payload.decode()  # UTF-8: it is for people
        assert frame.flags & 3 == 1, f"its error is {CONTENTS[frame.flags & 3]}"
        assert frame.at(0, 1) == outcome, f"outcome {frame.at(0, 1)}, not {outcome}: {error[:500]}"
        assert text in error, f"no {text!r} in {error[:500]!r}"
        assert len(frame.payload) <= LARGE, f"an error of {len(frame.payload)} bytes"
        assert frame.at(1) == fields.get("retry_after", 0), f"retry_after {frame.at(1)}"

    def both_failed(self, *numbers):
        failed = {self._take("failed", "both answers").token for _ in numbers}
        assert failed == {self.attempts[each].token for each in numbers}, failed

    def context(self, number, members):
        frame, assign = self._its(number, "done", "the context"), self.attempts[number]
        said = json.loads(frame.payload)
        wanted = {"task": str(assign.id), "round": assign.round, "attempt": assign.attempt, **members}
        if "token" in wanted:
            wanted["token"] = str(assign.token)
        assert {name: said.get(name) for name in wanted} == wanted, f"{said}, not {wanted}"

    def progress(self, number, permille, text):
        frame = self._its(number, "progress", f"progress of attempt {number}")
        assert (frame.at(0), frame.at(1, "")) == (permille, text), frame

    def partial(self, number, permille, text, payload):
        frame = self._its(number, "progress", f"a partial result of attempt {number}")
        assert (frame.at(0), frame.at(1, "")) == (permille, text), frame
        got, (data, content) = unpacked(frame.payload, frame.flags & 3), packed(payload)
        assert got == unpacked(data, content), f"the partial result is {CONTENTS[frame.flags & 3]} {str(got)[:300]}"

    def answered_after(self, number):
        """Whatever it says of its progress: no partial result, and an answer."""
        frame = self.end.take(lambda frame: frame.kind not in (NUMBER["beat"], NUMBER["progress"]) or bool(frame.payload), "an answer")
        assert frame.kind in (NUMBER["done"], NUMBER["failed"]) and frame.token == self.attempts[number].token, frame

    def report(self, flags, gauges, reason):
        frame = self._take("report", "a report")
        assert (frame.flags, list(frame.at(0, [])), frame.at(1, "")) == (flags, gauges, reason), frame

    def checkpoint(self, number, payload):
        frame = self._its(number, "checkpoint", f"a checkpoint of attempt {number}")
        got, (data, content) = unpacked(frame.payload, frame.flags & 3), packed(payload)
        assert got == unpacked(data, content), f"the checkpoint is {CONTENTS[frame.flags & 3]} {str(got)[:300]}"

    def please(self, number):
        self._send(self._about(number, "checkpoint-please").encode())

    def last_progress(self, number, permille, text):
        """Those between may be left out: at most ten a second are sent, but the last one always is."""
        while (frame := self._its(number, "progress", f"the last progress of attempt {number}")).at(0) != permille:
            pass
        assert frame.at(1, "") == text, frame

    def cancel(self, number, fields):
        self._send(self._about(number, "cancel-attempt", **fields).encode())

    def recall(self, number):
        self._send(self._about(number, "recall").encode())

    def recalled(self, number, returned):
        frame = self._its(number, "recalled", f"recalled of attempt {number}")
        assert bool(frame.flags & 16) == returned, f"returned: {bool(frame.flags & 16)}"

    def ping_after_recall(self, number):
        """A recall of what was answered needs no answer; one without the flag does no harm."""
        self._ping(lambda frame: frame.kind == NUMBER["recalled"] and not frame.flags)

    def retire(self):
        self._send(Frame(NUMBER["retire"]).encode())

    # --- Steps: signs of life ---

    def ping(self):
        self._ping(lambda frame: False)

    def _ping(self, passes):
        self.pings += 1
        self._send(Frame(NUMBER["ping"], token=TOKEN ^ self.pings).encode())
        frame = self.end.take(lambda frame: frame.kind != NUMBER["beat"] and not passes(frame), "pong")
        assert (frame.kind, frame.token) == (NUMBER["pong"], TOKEN ^ self.pings), f"instead of pong came {frame}"

    def beat(self):
        frame = self.end.take(lambda frame: True, "a beat")
        assert frame.kind == NUMBER["beat"], f"instead of a beat came {frame}"

    def silent(self):
        assert not self.end.left(), f"it sent {self.end.left()}"

    def page(self, fields):
        before = {name: self._of_page(name) for name in fields}

        def as_wanted(name, wanted):
            now = self._of_page(name)
            if wanted == "rises":
                return now > before[name] or (now > 0 and name == "busy_ns")
            return now == (self.attempts[max(self.attempts)].token if wanted == "its" else wanted)

        for name, wanted in fields.items():
            wire.until(lambda name=name, wanted=wanted: as_wanted(name, wanted), f"{name} of its page is {wanted}", self.end.pump)
        assert not [each for each in self.end.left() if each.kind == NUMBER["beat"]], "it beats by frames too"

    def _of_page(self, name):
        return struct.unpack("<Q", os.pread(self.page_map, 8, PAGE_FIELDS[name]))[0]

    def apart_from_channel(self, number):
        frame = self._its(number, "done", "what a program of a handler sees")
        text = frame.payload.decode(errors="replace")
        assert "PATH=" in text, f"it shows no environment: {text}"
        for secret in ("WARMPOOL_TOKEN=", "WARMPOOL_CHANNEL=", "WARMPOOL_FIFO_IN=", "WARMPOOL_FIFO_OUT=", str(TOKEN)):
            assert secret not in text, f"a program of a handler has {secret}"
        assert not re.search(f"-> {self.mark}", text), f"a program of a handler has the channel open:\n{text}"

    # --- The end ---

    def close(self):
        if self.end is not None:
            self.end.close()
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for descriptor in self.opened + ([self.page_map] if self.page_map is not None else []):
            os.close(descriptor)
        if self.transport == "fifo" and getattr(self, "_both", None) is not None:
            self._greeted()
        self.output.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def said(self):
        return self._output()[-4000:].decode(errors="replace")


def raw_frame(fields):
    """A frame that need not obey the page: body, body_bytes and meta_bytes as given."""
    fields = dict(fields)
    body = fields.pop("body", None)
    sizes = fields.pop("body_bytes", None), fields.pop("meta_bytes", None)
    data = bytearray(Frame(NUMBER.get(fields["kind"], fields["kind"]), **{key: value for key, value in fields.items() if key != "kind"}).encode())
    if body is not None:
        data += body
        struct.pack_into("<IH", data, 0, len(body), len(body))
    for size, form, place in zip(sizes, ("<I", "<H"), (0, 4)):
        if size is not None:
            struct.pack_into(form, data, place, size)
    return bytes(data)
