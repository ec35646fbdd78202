"""Redis lists: BLMPOP by workers, a list of results."""
from .common import Broker, redis_server


class Redis(Broker):
    name, wire = "redis", "redis"
    packages = programs = ("redis-server",)
    durable_note = "appendonly, appendfsync always: synced before it is acknowledged; a job that a worker took is in no list, so it is lost with the worker"
    note = "a list of jobs and a list of results; no states, no retries; a job is lost with its worker"

    def serve(self, place, durable):
        return redis_server(self, durable)


class RedisPrefetch(Redis):
    name, prefetch, holds = "redis x16", 16, False
    note = "the same, a worker takes up to 16 jobs with one BLMPOP"


PEERS = [Redis, RedisPrefetch]
