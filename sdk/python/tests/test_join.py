"""Workers that people start themselves."""
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

from pool import HERE, PACKAGE, PATIENCE, Pool, eventually


@contextmanager
def joined(pool, *arguments):
    """A worker whose parent is this test; it has joined."""
    environment = {**os.environ, "PYTHONPATH": PACKAGE}
    with open(os.path.join(pool.directory, "own.log"), "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-B", "-m", "warmpool", "--connect", "--socket", pool.socket, "--class", "own", *arguments,
             os.path.join(HERE, "handlers.py")], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        with pool.client() as client:
            eventually(lambda: process.pid in pids(client) or process.poll() is not None, "it joins")
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)


def pids(client):
    return [each["pid"] for each in client.workers() if each["registered"]]


def nobody_else(**options):
    return Pool({"size": 0, "types": ["none"]}, ready=False, **options)


def test_it_serves_tasks_and_leaves_at_sigterm():
    with nobody_else() as pool, joined(pool, "--concurrency", "2") as process, pool.client() as client:
        assert client.run("context")["pid"] == process.pid
        first, second = client.map("meet", [b"", b""])  # each waits for the other
        assert first != second
        assert list(client.map("async.meet", [b"", b""])) == [True, True]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        eventually(lambda: not pids(client), "its place goes with it")


def test_it_finishes_what_it_has_before_it_leaves():
    with nobody_else() as pool, joined(pool) as process, pool.client() as client:
        running = client.submit("spin", 0.5)
        eventually(lambda: client.status()["tasks"]["running"] == 1, "it runs")
        process.send_signal(signal.SIGTERM)
        assert running.result(PATIENCE) == "spun"
        assert process.wait(PATIENCE) == 0


def test_it_joins_the_next_daemon_and_what_it_ran_is_told():
    with nobody_else(backoff_first="1ms", backoff_max="1ms") as pool, joined(pool) as process:
        with pool.client() as client:
            sync = client.submit("heed")
            eventually(lambda: client.status()["tasks"]["running"] == 1, "it runs")
            task = sync.accepted(PATIENCE)
        pool.end(signal.SIGKILL)
        pool.start()
        with pool.client() as client:
            eventually(lambda: process.pid in pids(client), "it joins again")
            assert process.poll() is None
            client.cancel(task)
            assert list(client.map("same", range(20))) == list(range(20))


def test_it_joins_the_next_daemon_though_what_it_was_given_had_not_begun(tmp_path):
    with nobody_else() as pool, joined(pool, "--concurrency", "2") as process:
        with pool.client() as client:
            begun = str(tmp_path / "begun")
            client.submit("async.keeps_the_loop", begun, crashes_max=1)
            eventually(lambda: os.path.exists(begun), "it keeps the loop")
            client.submit("async.heed", str(tmp_path / "note"), crashes_max=1, timeout=3600)
            eventually(lambda: os.path.exists(begun + ".other"), "the other one is to run")
        pool.end(signal.SIGKILL)
        pool.start()
        with pool.client() as client:
            eventually(lambda: process.pid in pids(client), "it joins again")
