"""Celery: prefork workers, Redis as broker and result backend."""
import os

from .common import MIB, PythonPeer, redis_server


class Celery(PythonPeer):
    name, adapter, base = "celery", "celery", "warmpool Python"
    packages = ("python3-celery", "python3-redis", "redis-server")
    programs, imports = ("redis-server",), ("celery", "redis")
    payload_bytes_max = 16 * MIB
    outstanding_max = 1000
    note = "prefork, Redis without persistence, pickle, prefetch multiplier 16; keeps results a day"

    def arguments(self, place, workers):
        address = redis_server(self)
        self.run(["/usr/bin/python3", "-m", "celery", "-A", "celery_app", "worker", "-P", "prefork", "-c", str(workers), "--without-gossip",
                  "--without-mingle", "-l", "ERROR"], "worker.log", cwd=self.folder,
                 env=place.environment(PYTHONPATH=os.path.join(place.here, "hosts"), COMPARE_REDIS=address, C_FORCE_ROOT="1"))
        return [address]

    def open(self, place, workers, durable):
        os.environ["COMPARE_REDIS"] = os.path.join(self.folder, "redis.sock")
        super().open(place, workers, durable)


PEERS = [Celery]
