"""A process for each task: posix_spawn of /bin/echo with the payload as its argument, `workers` at once at most.

    spawn_host.py WORKERS      reads the same commands as python_host.py
"""
import json
import os
import selectors
import sys
import time


def start(text):
    reader, writer = os.pipe()
    pid = os.posix_spawn("/bin/echo", ["echo", "-n", text], os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_CLOSE, reader)])
    os.close(writer)
    return pid, reader


class Load:
    def __init__(self, at_once, size, seconds):
        self.at_once, self.rest = at_once, "x" * (max(size, 16) - 16)
        self.until, self.ready = time.perf_counter() + seconds, selectors.DefaultSelector()
        self.open, self.took, self.next = 0, [], 0

    def submit(self):
        while self.open < self.at_once and time.perf_counter() < self.until:
            begun, text = time.perf_counter(), f"{self.next:016x}{self.rest}"
            pid, reader = start(text)
            self.ready.register(reader, selectors.EVENT_READ, (pid, begun, text))
            self.open += 1
            self.next += 1

    def settle(self, reader, pid, begun, text):
        self.ready.unregister(reader)
        with os.fdopen(reader, "rb") as file:
            said = file.read().decode()
        if os.waitpid(pid, 0)[1] != 0 or said != text:
            raise RuntimeError("a process failed or gave a wrong answer")
        self.took.append(time.perf_counter() - begun)
        self.open -= 1

    def run(self):
        begun = time.perf_counter()
        self.submit()
        while self.open:
            for key, _ in self.ready.select():
                self.settle(key.fd, *key.data)
            self.submit()
        seconds = time.perf_counter() - begun
        self.took.sort()
        return {"tasks": len(self.took), "seconds": seconds, "p50_us": self.took[len(self.took) // 2] * 1e6,
                "p99_us": self.took[int(len(self.took) * 0.99)] * 1e6}


for line in sys.stdin:
    _, payload_bytes, outstanding, wanted = line.split()
    print(json.dumps(Load(min(int(sys.argv[1]), int(outstanding)), int(payload_bytes), float(wanted)).run()), flush=True)
