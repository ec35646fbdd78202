"""NATS: request and reply through a queue group."""
import os

import machine
from .common import Broker, MIB


class Nats(Broker):
    name, wire, holds = "nats", "nats", False
    packages = programs = ("nats-server",)
    payload_bytes_max = 16 * MIB  # it takes 64 MiB at most
    note = "at most once, pushed, nothing is kept: a task is lost with its worker, and nobody says so; loopback TCP"

    def serve(self, place, durable):
        port = machine.free_port()
        config = os.path.join(self.folder, "nats.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f'listen: "127.0.0.1:{port}"\nmax_payload: {64 * MIB}\nmax_pending: {256 * MIB}\n')
        self.server(["nats-server", "-c", config], port)
        return port


PEERS = [Nats]
