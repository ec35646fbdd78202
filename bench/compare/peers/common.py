"""What peers have in common: a host, which is a program that takes commands and loads a peer, and the processes beside it."""
import contextlib
import json
import os
import select
import subprocess
import time

import machine

MIB = 1 << 20


class Peer:
    name = ""
    tier = ""         # broker, python, node, or process: what it is compared with first
    base = "warmpool"  # whose figures this one's are divided by
    packages = ()     # of Debian
    programs = ()     # that must be there
    imports = ()      # of Python, that must be there
    modules = ()      # of npm
    note = ""         # what differs, for the reader
    payload_bytes_max = 100 * MIB
    durable_note = ""  # how it syncs; empty: it cannot
    durable_cycle = True  # its results are durable too
    holds = False     # keeps tasks that nobody takes, as `hold` of a command asks
    outstanding_max = 1000
    in_quick = True

    def __init__(self):
        self.processes, self.host, self.folder, self.durable = [], None, None, False

    def start(self, place, workers, durable=False):
        self.folder, self.durable = place.folder(self.name), durable
        self.open(place, workers, durable)

    def open(self, place, workers, durable):
        raise NotImplementedError

    def run(self, command, log="log", **options):
        process = machine.spawn(command, os.path.join(self.folder, log), **options)
        self.processes.append(process)
        return process

    def server(self, command, address, **options):
        process = self.run(command, "server.log", **options)
        machine.wait_until(lambda: machine.listens(address), process, os.path.join(self.folder, "server.log"))
        return process

    def start_host(self, command, **options):
        self.host = self.run(command, "host.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)

    def pids(self):
        own = [process.pid for process in self.processes if process.poll() is None]
        return own + machine.descendants(*own)

    def ask(self, command, seconds):
        """One line to the host and one back. Errors: no answer in time, or the host has ended; with its last words."""
        try:
            self.host.stdin.write(command.encode() + b"\n")
            self.host.stdin.flush()
        except OSError:
            raise RuntimeError(self.last_words()) from None
        deadline, line = time.monotonic() + seconds, b""
        while not line.endswith(b"\n"):
            if not select.select([self.host.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                raise RuntimeError(f"no answer in {seconds:.0f} s")
            piece = os.read(self.host.stdout.fileno(), 65536)
            if not piece:
                raise RuntimeError(self.last_words())
            line += piece
        return json.loads(line)

    def last_words(self):
        with open(os.path.join(self.folder, "host.log"), encoding="utf-8", errors="replace") as file:
            lines = file.read().strip().splitlines()
        return lines[-1][:200] if lines else "its host ended without a word"

    def echo(self, payload_bytes, outstanding, seconds):
        return self.ask(f"echo {payload_bytes} {outstanding} {seconds}", seconds + 60)

    def hold(self, payload_bytes, outstanding, seconds, tasks_max):
        return self.ask(f"hold {payload_bytes} {outstanding} {seconds} {tasks_max}", seconds + 60)

    def kept_by(self):
        """Pids whose memory holds what waits."""
        return [self.processes[0].pid]

    def stop(self):
        pids = self.pids()
        if self.host:
            with contextlib.suppress(OSError):  # it may have ended
                self.host.stdin.close()
        machine.end(pids)
        for process in self.processes:
            process.poll()
        self.processes = []


class Broker(Peer):
    """A server with workers and a client of `load`, all in C++."""
    tier, wire, prefetch = "broker", "", 1
    holds = True

    def serve(self, place, durable):
        """Starts the server and returns its address."""
        raise NotImplementedError

    def open(self, place, workers, durable):
        address = str(self.serve(place, durable))
        for _ in range(workers):
            self.run([place.load, self.wire, address, "worker", str(self.prefetch)], "worker.log")
        self.start_host([place.load, self.wire, address, "client"])


class PythonPeer(Peer):
    """Loaded by hosts/python_host.py."""
    tier, adapter = "python", ""

    def arguments(self, place, workers):
        return []

    def open(self, place, workers, durable):
        arguments = self.arguments(place, workers)
        sdk = os.path.join(place.root, "sdk", "python")
        self.start_host(["/usr/bin/python3", os.path.join(place.here, "hosts", "python_host.py"), self.adapter, str(workers), *arguments],
                        cwd=self.folder, env=place.environment(PYTHONPATH=f"{sdk}:{place.here}/hosts", WARMPOOL_BIN_DIR=place.bin))


class NodePeer(Peer):
    """Loaded by hosts/node_host.mjs."""
    tier, adapter = "node", ""

    def arguments(self, place, workers):
        return []

    def open(self, place, workers, durable):
        arguments = self.arguments(place, workers)
        self.start_host(["node", os.path.join(place.here, "hosts", "node_host.mjs"), self.adapter, str(workers), *arguments],
                        cwd=self.folder, env=place.environment())


def redis_server(peer, durable=False):
    """A Redis of its own on a Unix socket."""
    address = os.path.join(peer.folder, "redis.sock")
    kept = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
    peer.server(["redis-server", "--port", "0", "--unixsocket", address, "--dir", peer.folder, "--save", "", *kept, "--daemonize", "no"], address)
    return address
