"""The stock worker's exec, and programs that it keeps (--wrap lines), as a client meets them."""
import os
import subprocess
import sys

import pytest
from pool import Pool, bin_dir, eventually

import warmpool

WORKER = os.path.join(bin_dir(), "warmpool-worker")
SUM = """
import json, sys
for line in sys.stdin:
    given = json.loads(line)
    with open(given["payload_file"], "rb") as file:
        total = sum(sum(piece) for piece in iter(lambda: file.read(1 << 20), b""))
    print(json.dumps({"task": given["task"], "result": [total, given["payload_bytes"]]}), flush=True)
"""
ECHO = """
import json, sys
for line in sys.stdin:
    given = json.loads(line)
    if given["payload"] == "end":
        break
    name = {each: given[each] for each in ("task", "round", "attempt")}
    print(json.dumps({**name, "task": given["task"] - 1, "result": "of another"}), flush=True)
    print(json.dumps({**name, "attempt": given["attempt"] - 1, "result": "of an earlier attempt"}), flush=True)
    print(json.dumps({**name, "result": given["payload"]} if given["payload"] != "nameless" else {"result": 1}), flush=True)
"""


def lines_pool(*arguments, **class_options):
    return Pool({"command": [WORKER, "--wrap", "lines", *arguments], "environment": [], **class_options}, backoff_first="1ms")


def echo_over(to, other):
    """Its opens wait until the worker has a task."""
    return subprocess.Popen(["sh", "-c", 'exec "$0" -c "$1" <"$2" >"$3"', sys.executable, ECHO, to, other])


def test_a_process_for_each_task_is_no_reuse():
    with Pool({"command": [WORKER], "environment": []}) as pool, pool.client() as client:
        list(client.map("exec", [{"argv": ["true"]}] * 50))
        status = client.status()
        assert (status["classes"][0]["reuse_rate"], status["performance"]["worker_reuse_rate"]) == (0.0, 0.0)
        assert status["classes"][0]["processes_started"] == status["performance"]["processes_started"] == 50
        list(client.map("echo", [b"x"] * 50))
        assert 0.45 < client.status()["classes"][0]["reuse_rate"] < 0.5


def test_a_large_payload_is_a_path_to_a_kept_program():
    with lines_pool("--", sys.executable, "-c", SUM) as pool, pool.client() as client:
        size = 64 << 20
        assert client.run("sum", b"\1" * size, wait=60) == [size, size]
        with open(f"/proc/{client.workers()[0]['pid']}/status", encoding="ascii") as file:
            peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
        assert peak < size // 1024, "it was in memory whole"  # KiB; a sanitizer takes half of that itself
        assert client.run("sum", b"\1" * (2 << 20), wait=60) == [2 << 20] * 2


def test_a_program_is_spoken_to_over_fifos(tmp_path):
    to, other = str(tmp_path / "to"), str(tmp_path / "from")
    with lines_pool("--fifos", f"{to},{other}") as pool, pool.client() as client:
        waits = client.submit("t", "early", retries=0)  # nobody is there yet
        for payload in ("one", "two"):
            running = echo_over(to, other)
            if payload == "one":
                assert waits.result(60) == "early"
            assert client.run("t", payload, wait=60, retries=0) == payload
            with pytest.raises(warmpool.TaskDead, match="names its task"):
                client.run("t", "nameless", wait=60)
            with pytest.raises(warmpool.TaskDead) as caught:
                client.run("t", "end", wait=60, crashes_max=1)
            assert caught.value.cause == "crashed" and running.wait(60) == 0
            pool.await_ready()
        cancelled = client.submit("t", "nobody", timeout=0.1, retries=0)
        assert isinstance(cancelled.exception(60), warmpool.TaskDead)


def test_fifos_are_this_users_alone_and_one_workers(tmp_path):
    odd = tmp_path / "odd"
    odd.touch()
    for fifos, said in ((f"{odd},{tmp_path}/from", "no FIFO of this user alone"), ("one", "two paths")):
        ended = subprocess.run([WORKER, "--wrap", "lines", "--fifos", fifos], capture_output=True, text=True, timeout=60)
        assert ended.returncode != 0 and said in ended.stderr
    to, other = str(tmp_path / "to"), str(tmp_path / "from")
    with lines_pool("--fifos", f"{to},{other}") as pool, pool.client() as client:
        running = echo_over(to, other)
        before = client.workers()[0]["pid"]
        assert client.run("t", "x", wait=60) == "x"
        client.request("restart", None, "py")  # the successor waits for the FIFOs of its predecessor
        assert [client.run("t", number, wait=60) for number in range(50)] == list(range(50))
        eventually(lambda: client.workers()[0]["pid"] != before, "there is another worker")
        assert client.run("t", "y", wait=60) == "y"
        running.kill()
        running.wait(60)


def test_a_program_out_of_step_is_started_anew():
    twice = 'while read -r line; do printf \'{"result":%s}\\n{"result":0}\\n\' $$; done'
    with lines_pool("--", "sh", "-c", twice) as pool, pool.client() as client:
        results = [client.run("t", "x", wait=60) for _ in range(3)]
        assert 0 not in results and len(set(results)) == 3


def test_a_program_is_told_by_a_signal_that_a_checkpoint_is_wanted():
    traps = ('trap \'echo "{\\"checkpoint\\":\\"row 5\\"}"; echo "{\\"result\\":\\"left\\"}"; done=1\' USR1; '
             'while read -r line; do done=; while [ -z "$done" ]; do sleep 0.02; done; done')
    with lines_pool("--checkpoint-signal", "USR1", "--", "sh", "-c", traps, checkpoint_every="50ms") as pool, pool.client() as client:
        assert client.run("t", "x", wait=60) == "left"
        assert client.run("t", "x", wait=60) == "left"
