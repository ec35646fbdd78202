"""BullMQ: jobs in Redis, a worker in Node."""
import os

from .common import MIB, NodePeer, redis_server


class BullMq(NodePeer):
    name, adapter, base, modules = "bullmq", "bullmq", "warmpool Node", ("bullmq", "ioredis")
    packages = programs = ("redis-server",)
    payload_bytes_max = 16 * MIB
    note = "a process for each worker, each one job at a time; Redis without persistence; payloads as text, for it keeps JSON"

    def arguments(self, place, workers):
        address = redis_server(self)
        for _ in range(workers):
            self.run(["node", os.path.join(place.here, "hosts", "bullmq_worker.mjs"), address], "worker.log", cwd=self.folder, env=place.environment())
        return [address]


PEERS = [BullMq]
