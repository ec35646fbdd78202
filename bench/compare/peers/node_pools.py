"""Pools inside a Node program."""
from .common import NodePeer


class JestWorker(NodePeer):
    name, adapter, base, modules = "jest-worker", "jest-worker", "warmpool Node", ("jest-worker",)
    note = "child processes, advanced serialization"


class Workerpool(NodePeer):
    name, adapter, base, modules = "workerpool", "workerpool", "warmpool Node", ("workerpool",)
    note = "child processes"


class Piscina(NodePeer):
    name, adapter, base, modules = "piscina", "piscina", "warmpool Node", ("piscina",)
    note = "threads and not processes: nothing is isolated"


PEERS = [JestWorker, Workerpool, Piscina]
