#!/usr/bin/python3
"""How many tasks a second are accepted durably, and how soon a daemon is back with a million of them.

The type is paused, so that only acceptance is measured. One client, 64-byte payloads, frames as in docs/protocol.md.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import time

HEAD = struct.Struct("<IHBBQQHHHBB")
DURABILITIES = ("full", "relaxed", "none")
KINDS = {"accepted": 32, "refused": 33}
PAYLOAD = b"x" * 64


def submit(number: int, durability: int, delay_ns: int = 0) -> bytes:
    # 13 fields up to durability: nil but for delay (6) and durability (11)
    meta = b""
    if durability or delay_ns:
        delay = b"\xd3" + struct.pack(">q", delay_ns) if delay_ns else b"\xc0"
        meta = b"\x9b" + b"\xc0" * 5 + delay + b"\xc0" * 4 + bytes([durability])
    return HEAD.pack(len(meta) + len(PAYLOAD), len(meta), 16, 1, 0, number, 0, 0, 0, 0, 0) + meta + PAYLOAD


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

    def accept(self, tasks: int, outstanding: int, durability: int = 0, delay_ns: int = 0) -> float:
        """Tasks a second."""
        frame = submit(1, durability, delay_ns)
        begun, sent, accepted = time.monotonic(), 0, 0
        while accepted < tasks:
            more = min(tasks - sent, outstanding - (sent - accepted))
            if more:
                self.socket.sendall(frame * more)
                sent += more
            accepted += self.answers()
        return tasks / (time.monotonic() - begun)


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


def sync_seconds(directory: str, syncs: int = 200) -> float:
    """Median of one write of 4 KiB over what is there, and its fdatasync: as in a WAL that is used again."""
    took = []
    with open(f"{directory}/sync", "wb", buffering=0) as file:
        file.write(bytes(4096 * syncs))
        os.fsync(file.fileno())
        file.seek(0)
        for _ in range(syncs):
            begun = time.monotonic()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            took.append(time.monotonic() - begun)
    return statistics.median(took)


def acceptance(daemon: Daemon, rounds: int) -> list[dict]:
    client = Client(f"{daemon.directory}/warmpool.sock")
    figures: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for outstanding in (1, 64, 1000):
            for number, name in enumerate(DURABILITIES):
                tasks = 500 if outstanding == 1 else 20_000
                before = daemon.status()["store"]
                rate = client.accept(tasks, outstanding, number)
                after = daemon.status()["store"]
                syncs = after["syncs"] - before["syncs"]
                figures.setdefault((name, outstanding), []).append((rate, syncs / tasks))
    return [{"durability": name, "outstanding": outstanding,
             "accepted_per_second": round(statistics.median(rate for rate, _ in got)),
             "syncs_per_task": round(statistics.median(each for _, each in got), 4)}
            for (name, outstanding), got in sorted(figures.items(), key=lambda item: item[0][1])]


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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--delayed", type=int, default=100_000)
    given = parser.parse_args()
    daemon = Daemon(given.bin, given.directory)
    try:
        daemon.start()
        daemon.call("pause", "echo")
        document = {"fdatasync_seconds": round(sync_seconds(daemon.directory), 6),
                    "acceptance": acceptance(daemon, given.rounds)}
    finally:
        daemon.remove()
    document["recovery"] = recovery(given.bin, given.directory, given.waiting, given.delayed)
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
