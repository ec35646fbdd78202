"""RQ: workers that fork for each job, or not."""
import os

from .common import MIB, PythonPeer, redis_server


class Rq(PythonPeer):
    name, adapter, base = "rq", "rq", "warmpool Python"
    packages = ("python3-rq", "python3-redis", "redis-server")
    programs, imports = ("redis-server",), ("rq", "redis")
    payload_bytes_max = 16 * MIB
    outstanding_max = 64
    worker_class = "rq.Worker"
    note = "forks for each job, Redis without persistence; its client has to poll for results"

    def arguments(self, place, workers):
        address = redis_server(self)
        for _ in range(workers):
            self.run(["/usr/bin/python3", os.path.join(place.here, "hosts", "rq_worker.py"), address, self.worker_class], "worker.log",
                     cwd=self.folder, env=place.environment(PYTHONPATH=os.path.join(place.here, "hosts")))
        return [address]


class RqSimple(Rq):
    name, worker_class, in_quick = "rq SimpleWorker", "rq.SimpleWorker", False
    note = "the same without a fork for each job: it works in the worker's own process"


PEERS = [Rq, RqSimple]
