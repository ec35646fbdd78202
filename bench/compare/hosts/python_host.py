"""Loads a pool out of Python. Arguments: adapter, workers, what the adapter needs. Reads "echo BYTES OUTSTANDING SECONDS", answers with
a line of JSON. Each answer is compared with its payload."""
import collections
import json
import queue
import sys
import threading
import time

from echo_calls import echo


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1))] if values else None


class Futures:
    """Pools whose futures call back: as many calls open as asked for, taken as they come."""

    def run(self, payload_of, outstanding, until):
        done, open_calls, number, took = queue.SimpleQueue(), 0, 0, []
        while True:
            now = time.perf_counter()
            while open_calls < outstanding and now < until:
                payload = payload_of(number)
                future = self.submit(payload)
                future.add_done_callback(lambda future, payload=payload, begun=now: done.put((future, payload, begun)))
                number, open_calls = number + 1, open_calls + 1
            if open_calls == 0:
                return took
            future, payload, begun = done.get(timeout=60)
            took.append(time.perf_counter() - begun)
            check(future.result(), payload)
            open_calls -= 1


class ProcessPoolExecutor(Futures):
    def __init__(self, workers):
        import concurrent.futures
        self.pool = concurrent.futures.ProcessPoolExecutor(workers)
        self.submit = lambda payload: self.pool.submit(echo, payload)


class Loky(Futures):
    def __init__(self, workers):
        from joblib.externals import loky
        self.pool = loky.get_reusable_executor(workers, timeout=None)
        self.submit = lambda payload: self.pool.submit(echo, payload)


class WarmpoolExecutor(Futures):
    def __init__(self, workers):
        import warmpool
        self.pool = warmpool.Executor(workers)
        self.submit = lambda payload: self.pool.submit(echo, payload)


class WarmpoolClient(Futures):
    def __init__(self, workers, address):
        import warmpool
        self.client = warmpool.Client(address)
        self.submit = lambda payload: self.client.submit("echo", payload)


class MultiprocessingPool:
    """imap_unordered, whose source waits while as many are open as may be."""

    def __init__(self, workers):
        import multiprocessing
        self.pool = multiprocessing.Pool(workers)

    def run(self, payload_of, outstanding, until):
        room, sent, took = threading.Semaphore(outstanding), {}, []

        def source():
            number = 0
            while time.perf_counter() < until:
                room.acquire()
                payload = payload_of(number)
                sent[payload[:16]] = (payload, time.perf_counter())
                number += 1
                yield payload

        for result in self.pool.imap_unordered(echo, source()):
            payload, begun = sent.pop(result[:16])
            took.append(time.perf_counter() - begun)
            check(result, payload)
            room.release()
        return took


class InOrder:
    """Peers whose results are waited for one by one, in the order of their calls."""

    def run(self, payload_of, outstanding, until):
        open_calls, number, took = collections.deque(), 0, []
        while True:
            while len(open_calls) < outstanding and time.perf_counter() < until:
                payload, begun = payload_of(number), time.perf_counter()
                open_calls.append((self.submit(payload), payload, begun))
                number += 1
            if not open_calls:
                return took
            call, payload, begun = open_calls.popleft()
            check(self.result(call), payload)
            took.append(time.perf_counter() - begun)


class Celery(InOrder):
    def __init__(self, workers, address):
        from celery_app import echo as task
        self.submit = task.delay

    def result(self, call):
        value = call.get(timeout=60)
        call.forget()
        return value


class Rq(InOrder):
    def __init__(self, workers, address):
        import redis
        import rq
        self.jobs = rq.Queue("jobs", connection=redis.Redis(unix_socket_path=address))

    def submit(self, payload):
        return self.jobs.enqueue(echo, payload)

    def result(self, job):
        deadline = time.monotonic() + 60
        while job.get_status() != "finished":  # it has no other way
            if time.monotonic() > deadline or job.is_failed:
                sys.exit("a job of rq failed")
            time.sleep(0.0005)
        value = job.result
        job.delete()
        return value


ADAPTERS = {"process_pool_executor": ProcessPoolExecutor, "loky": Loky, "warmpool_executor": WarmpoolExecutor, "warmpool_client": WarmpoolClient,
            "multiprocessing_pool": MultiprocessingPool, "celery": Celery, "rq": Rq}


def check(result, payload):
    if result != payload:
        sys.exit("a wrong answer")


def main():
    adapter = ADAPTERS[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
    for line in sys.stdin:
        _, payload_bytes, outstanding, seconds = line.split()
        rest = b"x" * (max(16, int(payload_bytes)) - 16)
        begun = time.perf_counter()
        took = adapter.run(lambda number: b"%016x" % number + rest, int(outstanding), begun + float(seconds))
        elapsed = time.perf_counter() - begun
        us = [value * 1e6 for value in took]
        print(json.dumps({"tasks": len(took), "seconds": elapsed, "p50_us": percentile(us, 0.5), "p99_us": percentile(us, 0.99)}), flush=True)


if __name__ == "__main__":
    main()
