#!/usr/bin/python3
"""A client written from docs/protocol.md alone. One thread reads and gives each answer to the request that asked."""
import itertools
import json
import os
import queue
import socket
import struct
import sys
import threading
import weakref

import frame as wire
from frame import Frame

WAIT, CANCEL_ON_DISCONNECT, KEEP_RESULT, PROGRESS = 16, 32, 64, 128  # of submit; PROGRESS of await too
NOW, DUPLICATE = 16, 16  # of await; of accepted
WISHES = ("priority", "timeout", "deadline", "expiry", "retries", "delay", "run_at", "key", "tenant", "labels",
          "durability", "crashes_max")
VERDICTS = ("done", "dead", "cancelled", "expired", "skipped")
VERBS = {name: number for number, name in enumerate(
    "status workers worker show ls dead-ls dead-retry dead-remove scale drain stop pause resume config types release events "
    "restart heartbeat log".split(), 1)}


class Refused(Exception):
    def __init__(self, frame):
        super().__init__(f"{frame.at(0)}: {frame.at(1, '')}")
        self.code, self.retry_after = frame.at(0), frame.at(2)


class Closed(Exception):
    def __init__(self, error):
        super().__init__(f"{error.at(0)}: {error.at(1, '')}" if error else "closed")
        self.code = error and error.at(0)


class Request:
    def __init__(self, client, number):
        self.client, self.number, self.answers = client, number, queue.Queue()

    def next(self, timeout=60):
        answer = self.answers.get(timeout=timeout)
        if answer is None:
            raise Closed(self.client.error)
        if answer.kind == wire.REFUSED:
            raise Refused(answer)
        return answer

    def settled(self):
        while (answer := self.next()).kind != wire.SETTLED:
            pass
        return answer


def default_path():
    home = f"/tmp/warmpool-{os.getuid()}" if os.getuid() else "/run/warmpool"
    if "XDG_RUNTIME_DIR" in os.environ:
        home = os.environ["XDG_RUNTIME_DIR"] + "/warmpool"
    return home + "/warmpool.sock"


def connect(path):
    """A socket that nobody named is taken only from a daemon of this user or of root."""
    path = path or os.environ.get("WARMPOOL_SOCKET")
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(path or default_path())
    _, user, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if path is None and user not in (0, os.getuid()):
        raise PermissionError(f"{default_path()} belongs to user {user}")
    return connected


class Client:
    def __init__(self, path=None):
        self.channel = wire.Channel(connect(path))
        self.numbers, self.types = itertools.count(1), {}
        self.lock, self.closed, self.gone, self.error = threading.Lock(), False, False, None
        self.requests = weakref.WeakValueDictionary()  # what nobody holds any more is forgotten
        self.channel.send(Frame(wire.HELLO, meta=[0, 1, 1, wire.FEATURE_PROGRESS | wire.FEATURE_EVENTS, "client.py", os.getpid()]))
        welcome = self.channel.receive()
        if welcome is None or welcome.kind != wire.WELCOME:
            raise Closed(welcome)
        self.features, self.channel.body_bytes_max = welcome.at(1), welcome.at(2)
        self.payload_bytes_max, self.in_flight_max = welcome.at(3), welcome.at(4)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def submit(self, name, payload=b"", flags=WAIT, content=0, **wishes):
        meta = [wishes.pop(wish, None) for wish in WISHES]
        assert not wishes, f"no such wish: {wishes}"
        return self._ask(Frame(wire.SUBMIT, flags=flags | content, type=self._type(name), meta=meta, payload=payload))

    def wait(self, task, flags=0):
        return self._ask(Frame(wire.AWAIT, flags=flags, id=task))

    def cancel(self, task):
        return self._ask(Frame(wire.CANCEL, id=task))

    def request(self, verb, *arguments):
        request = self._ask(Frame(wire.REQUEST, meta=[VERBS[verb], *arguments]))
        while (answer := request.next()).kind != wire.REPLY:  # events come before
            pass
        return json.loads(answer.payload)

    def received(self, *tasks):
        self.channel.send(Frame(wire.RECEIVED, payload=struct.pack(f"<{len(tasks)}Q", *tasks)))

    def run(self, name, payload=b"", **wishes):
        return self.submit(name, payload, **wishes).settled()

    def close(self):
        if not self.gone:
            self.gone = True
            self.channel.socket.shutdown(socket.SHUT_RDWR)
            self.reader.join()
            self.channel.close()

    def _type(self, name):
        if name not in self.types:
            self.types[name] = len(self.types)
            self.channel.send(Frame(wire.TYPE_NAME, type=self.types[name], meta=[name]))
        return self.types[name]

    def _ask(self, frame):
        request = Request(self, next(self.numbers))
        with self.lock:
            if self.closed:
                raise Closed(self.error)
            self.requests[request.number] = request
        frame.token = request.number
        self.channel.send(frame)
        return request

    def _read(self):
        while (frame := self.channel.receive()) is not None and frame.kind != wire.ERROR:
            if (request := self.requests.get(frame.token)) is not None:
                request.answers.put(frame)
        with self.lock:
            self.closed, self.error = True, frame
            for request in list(self.requests.values()):
                request.answers.put(None)


if __name__ == "__main__":
    result = Client().run(sys.argv[1], " ".join(sys.argv[2:]).encode(), content=1)
    print(VERDICTS[result.at(0)], result.payload.decode(errors="replace"))
    sys.exit(result.at(0) != 0)
