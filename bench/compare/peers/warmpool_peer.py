"""warmpool itself: stock workers in C++, handlers in Python and in Node."""
import json
import os
import subprocess

import machine
from .common import Broker, MIB, NodePeer, PythonPeer

CONFIG = """log_level = "warn"
board = false
submit_fifo = false
store = "{store}"
tasks_max = 20000000
payload_bytes_max = "{inline}"
result_bytes_max = "{inline}"
[[class]]
name = "worker"
command = {command}
environment = {environment}
types = ["echo", "held"]
size = {workers}
credits = {credits}
"""


def daemon(peer, place, workers, command, durable=False, credits=16, inline="1MiB", **environment):
    """Starts it and waits until all workers are ready. Returns its socket."""
    config, address = os.path.join(peer.folder, "w.toml"), os.path.join(peer.folder, "warmpool.sock")
    pairs = json.dumps([f"{name}={value}" for name, value in environment.items()])
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(store="sqlite" if durable else "volatile", command=json.dumps(command), environment=pairs,
                                 workers=workers, credits=credits, inline=inline))
    process = peer.server([os.path.join(place.bin, "warmpoold"), "--config", config, "--runtime-dir", peer.folder], address,
                          env=place.environment())

    def call(*words):
        return subprocess.run([os.path.join(place.bin, "warmpool"), "--socket", address, *words], capture_output=True, text=True, check=False)

    def is_ready():
        answer = call("status", "--json")
        return answer.returncode == 0 and json.loads(answer.stdout)["workers"]["ready"] == workers
    machine.wait_until(is_ready, process, os.path.join(peer.folder, "server.log"), 60)
    call("pause", "held")
    return address


class Warmpool(Broker):
    name, wire, credits = "warmpool", "warmpool", 16
    payload_bytes_max = 16 * MIB
    durable_note = "durability full: synced before it is accepted, results kept"
    note = "C++ workers, credits 16; payloads through the socket, so at most 16 MiB"

    def open(self, place, workers, durable):
        command = [os.path.join(place.bin, "warmpool-worker"), "--credits", str(self.credits)]
        address = daemon(self, place, workers, command, durable, self.credits, inline="16MiB")
        self.start_host([place.load, "warmpool", address, "client"])


class WarmpoolOne(Warmpool):
    name, credits, holds, durable_note = "warmpool K=1", 1, False, ""
    note = "the same with one task in a worker's hand, as the peers that take one job at a time"


class WarmpoolPython(PythonPeer):
    name, adapter, base = "warmpool Python", "warmpool_client", "warmpool Python"
    packages, imports = ("python3-msgpack",), ("msgpack",)
    note = "Python workers and Python client of sdk/python, credits 16; above 1 MiB payloads go by descriptor"

    def arguments(self, place, workers):
        worker = ["/usr/bin/python3", "-m", "warmpool", os.path.join(place.here, "hosts", "echo_tasks.py")]
        return [daemon(self, place, workers, worker, PYTHONPATH=os.path.join(place.root, "sdk", "python"))]


class WarmpoolExecutor(PythonPeer):
    name, adapter, base = "warmpool.Executor", "warmpool_executor", "warmpool Python"
    packages, imports = ("python3-msgpack",), ("msgpack",)
    note = "calls any function, where ProcessPoolExecutor was"


class WarmpoolNode(NodePeer):
    name, adapter, base = "warmpool Node", "warmpool", "warmpool Node"
    payload_bytes_max = 16 * MIB
    note = "Node workers and Node client of sdk/node, credits 16"

    def arguments(self, place, workers):
        sdk = os.path.join(place.root, "sdk", "node", "src")
        worker = ["node", os.path.join(sdk, "main.js"), os.path.join(place.here, "hosts", "echo_tasks.mjs")]
        return [daemon(self, place, workers, worker, inline="16MiB")]


PEERS = [Warmpool, WarmpoolOne, WarmpoolPython, WarmpoolExecutor, WarmpoolNode]
