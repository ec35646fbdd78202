"""Loads a peer from Python. Reads `echo BYTES OUTSTANDING SECONDS` lines, answers each with a line of JSON. Each answer is checked.

    python_host.py ADAPTER WORKERS [ADDRESS]
"""
import json
import queue
import sys
import threading
import time

import echo_tasks

ID_BYTES = 16


class Adapter:
    """Has payloads echoed: `submit` returns at once, what came back goes into `results`."""

    def __init__(self, workers, *address):
        self.results = queue.SimpleQueue()
        self.open(workers, *address)

    def open(self, workers, *address):
        raise NotImplementedError

    def submit(self, payload):
        self.follow(self.start(payload))

    def start(self, payload):
        """Where there is a future."""
        raise NotImplementedError

    def follow(self, future):
        future.add_done_callback(lambda done: self.results.put(done.exception() or done.result()))

    def wait(self):
        """The next result."""
        return self.results.get(timeout=60)

    def more(self):
        """One that is there already, or None."""
        try:
            return self.results.get_nowait()
        except queue.Empty:
            return None


class ProcessPoolExecutor(Adapter):
    def open(self, workers, *address):
        from concurrent.futures import ProcessPoolExecutor as Pool
        self.pool = Pool(workers)

    def start(self, payload):
        return self.pool.submit(echo_tasks.echo, payload)


class MultiprocessingPool(Adapter):
    def open(self, workers, *address):
        import multiprocessing
        self.pool = multiprocessing.Pool(workers)

    def submit(self, payload):
        self.pool.apply_async(echo_tasks.echo, (payload,), callback=self.results.put, error_callback=self.results.put)


class Loky(Adapter):
    def open(self, workers, *address):
        from joblib.externals.loky import ProcessPoolExecutor as Pool
        self.pool = Pool(workers)

    start = ProcessPoolExecutor.start


class WarmpoolExecutor(Adapter):
    def open(self, workers, *address):
        import warmpool
        self.pool = warmpool.Executor(workers)

    start = ProcessPoolExecutor.start


class WarmpoolClient(Adapter):
    def open(self, workers, *address):
        import warmpool
        self.client = warmpool.Client(address[0])

    def start(self, payload):
        return self.client.submit("echo", payload)


class Celery(Adapter):
    """Results come by publish and subscribe, and are read by the thread that waits."""

    def open(self, workers, *address):
        import celery_app
        self.echo, self.consumer = celery_app.echo, celery_app.app.backend.result_consumer

    def submit(self, payload):
        self.echo.delay(payload).then(self.came, on_error=self.came)

    def came(self, result):
        self.results.put(result.result)

    def wait(self):
        deadline = time.monotonic() + 60
        while self.results.empty() and time.monotonic() < deadline:
            self.consumer.drain_events(timeout=1)
        return self.results.get_nowait()


class Rq(Adapter):
    """Has no way to be told: what is open is asked for in one round trip, again and again."""

    def open(self, workers, *address):
        import redis
        import rq
        self.redis = redis.Redis(unix_socket_path=address[0])
        self.queue, self.jobs = rq.Queue(connection=self.redis), {}

    def submit(self, payload):
        job = self.queue.enqueue(echo_tasks.echo, payload, description="echo", result_ttl=60)
        self.jobs[job.id] = job

    def look(self):
        jobs, asks = list(self.jobs.values()), self.redis.pipeline(transaction=False)
        for job in jobs:
            asks.hget(job.key, "status")
        for job, status in zip(jobs, asks.execute()):
            if status in (b"finished", b"failed"):
                del self.jobs[job.id]
                self.results.put(job.return_value() if status == b"finished" else RuntimeError("a job failed"))

    def wait(self):
        deadline = time.monotonic() + 60
        while self.results.empty() and time.monotonic() < deadline:
            self.look()
        return self.results.get_nowait()


ADAPTERS = {"process_pool_executor": ProcessPoolExecutor, "multiprocessing_pool": MultiprocessingPool, "loky": Loky,
            "warmpool_executor": WarmpoolExecutor, "warmpool_client": WarmpoolClient, "celery": Celery, "rq": Rq}


class Load:
    """Keeps so many open, until the time is over and all are answered."""

    def __init__(self, adapter, size, outstanding, seconds):
        self.adapter, self.rest = adapter, b"x" * (max(size, ID_BYTES) - ID_BYTES)
        self.outstanding, self.until = outstanding, time.perf_counter() + seconds
        self.begun_at, self.took, self.next = {}, [], 0

    def submit(self):
        while len(self.begun_at) < self.outstanding and time.perf_counter() < self.until:
            self.begun_at[self.next] = time.perf_counter()
            self.adapter.submit(b"%016x" % self.next + self.rest)
            self.next += 1

    def settle(self, result):
        if isinstance(result, BaseException):
            raise result
        begun = self.begun_at.pop(int(bytes(result[:ID_BYTES]), 16), None)
        if begun is None or result[ID_BYTES:] != self.rest:
            raise RuntimeError("an answer that is none of an open task")
        self.took.append(time.perf_counter() - begun)

    def run(self):
        begun = time.perf_counter()
        self.submit()
        while self.begun_at:
            result = self.adapter.wait()
            while result is not None:
                self.settle(result)
                result = self.adapter.more()
            self.submit()
        seconds = time.perf_counter() - begun
        self.took.sort()
        return {"tasks": len(self.took), "seconds": seconds, "p50_us": self.part(0.5), "p99_us": self.part(0.99)}

    def part(self, share):
        return self.took[int(share * (len(self.took) - 1))] * 1e6 if self.took else 0


def main():
    name, workers, *address = sys.argv[1:]
    adapter = ADAPTERS[name](int(workers), *address)
    threading.current_thread().name = "load"
    for line in sys.stdin:
        _, size, outstanding, seconds = line.split()
        print(json.dumps(Load(adapter, int(size), int(outstanding), float(seconds)).run()), flush=True)


if __name__ == "__main__":
    main()
