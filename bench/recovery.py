#!/usr/bin/python3
"""How soon a daemon that was killed with a million tasks in its store is back with all of them.

One client, 64-byte payloads, their type paused; frames as in docs/protocol.md.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

HEAD = struct.Struct("<IHBBQQHHHBB")
KINDS = {"accepted": 32, "refused": 33}
PAYLOAD = b"x" * 64


def submit(delay_ns: int = 0) -> bytes:
    # 6 fields up to delay, nil but for that
    meta = b"\x96" + b"\xc0" * 5 + b"\xd3" + struct.pack(">q", delay_ns) if delay_ns else b""
    return HEAD.pack(len(meta) + len(PAYLOAD), len(meta), 16, 1, 0, 1, 0, 0, 0, 0, 0) + meta + PAYLOAD


class Client:
    def __init__(self, path: str):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(120)
        self.rest = b""
        name = b"\x91\xa4echo"
        self.socket.sendall(HEAD.pack(0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
                            + HEAD.pack(len(name), len(name), 6, 0, 0, 0, 0, 0, 0, 0, 0) + name)

    def answers(self) -> int:
        """Acceptances in what the next read brings."""
        self.rest += self.socket.recv(1 << 20)
        at = count = 0
        while len(self.rest) - at >= HEAD.size:
            body, _, kind, *_ = HEAD.unpack_from(self.rest, at)
            if len(self.rest) - at < HEAD.size + body:
                break
            if kind == KINDS["refused"]:
                raise SystemExit(f"refused: {self.rest[at + HEAD.size:at + HEAD.size + body]!r}")
            count += kind == KINDS["accepted"]
            at += HEAD.size + body
        self.rest = self.rest[at:]
        return count

    def accept(self, tasks: int, outstanding: int, delay_ns: int = 0) -> None:
        frame = submit(delay_ns)
        sent = accepted = 0
        while accepted < tasks:
            more = min(tasks - sent, outstanding - (sent - accepted))
            if more:
                self.socket.sendall(frame * more)
                sent += more
            accepted += self.answers()


class Daemon:
    def __init__(self, bin_dir: str, base: str):
        self.bin, self.directory = bin_dir, tempfile.mkdtemp(prefix="warmpool-durable.", dir=base)
        self.process = None

    def start(self) -> float:
        """Seconds until it answers."""
        begun = time.monotonic()
        with open(f"{self.directory}/log", "ab") as log:
            self.process = subprocess.Popen(
                [f"{self.bin}/warmpoold", "--config", "/dev/null", "--runtime-dir", self.directory, "--workers", "1"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while time.monotonic() - begun < 120:
            try:
                client = Client(f"{self.directory}/warmpool.sock")
                client.socket.recv(1)
                return time.monotonic() - begun
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit(open(f"{self.directory}/log").read())
                time.sleep(0.005)
        raise SystemExit("the daemon does not answer")

    def call(self, *words: str) -> str:
        return subprocess.run([f"{self.bin}/warmpool", "--socket", f"{self.directory}/warmpool.sock", *words],
                              check=True, capture_output=True, text=True, timeout=60).stdout

    def status(self) -> dict:
        return json.loads(self.call("status", "--json"))

    def rss(self) -> int:
        with open(f"/proc/{self.process.pid}/status") as lines:
            return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(timeout=60)
            self.process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def recovery(bin_dir: str, base: str, waiting: int, delayed: int) -> dict:
    daemon = Daemon(bin_dir, base)
    try:
        daemon.start()
        daemon.call("pause", "echo")
        client = Client(f"{daemon.directory}/warmpool.sock")
        client.accept(waiting, 1000)
        client.accept(delayed, 1000, delay_ns=3600 * 10**9)
        daemon.kill()
        ready = daemon.start()
        begun = time.monotonic()
        Client(f"{daemon.directory}/warmpool.sock").accept(1, 1)
        first = ready + time.monotonic() - begun
        tasks = daemon.status()["tasks"]
        if tasks["waiting"] != waiting + delayed + 1:
            raise SystemExit(f"lost: {tasks}")
        return {"waiting": waiting, "delayed": delayed, "ready_seconds": round(ready, 2),
                "first_ack_seconds": round(first, 2), "rss_bytes": daemon.rss(),
                "database_bytes": os.path.getsize(f"{daemon.directory}/state/warmpool.db")}
    finally:
        daemon.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="build/release/bin", help="where warmpoold and warmpool are")
    parser.add_argument("--directory", help="on the disk to be measured; else the usual one for temporary files")
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--delayed", type=int, default=100_000)
    given = parser.parse_args()
    print(json.dumps(recovery(given.bin, given.directory, given.waiting, given.delayed), indent=1))


if __name__ == "__main__":
    main()
