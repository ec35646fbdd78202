"""gearmand: foreground jobs."""
import os

import machine
from .common import Broker


class Gearman(Broker):
    name, wire = "gearmand", "gearman"
    packages, programs, durable_cycle = ("gearman-job-server",), ("gearmand",), False
    durable_note = "libsqlite3 queue of background jobs, which bring no result"
    note = "a worker takes one job at a time; loopback TCP"

    def serve(self, place, durable):
        port = machine.free_port()
        self.wire = "gearman-kept" if durable else "gearman"
        queue = ["-q", "libsqlite3", "--libsqlite3-db", os.path.join(self.folder, "queue.db")] if durable else []
        self.server(["gearmand", "--listen", "127.0.0.1", "--port", str(port), "--log-file", "stderr", "--verbose", "ERROR", *queue], port,
                    cwd=self.folder)
        return port


PEERS = [Gearman]
