"""Beats, several at once, and how a worker ends. Over FIFOs too, with WARMPOOL_TEST_CHANNEL=fifo."""
import json
import os
import re
import signal
import subprocess
import sys

import pytest
from pool import PACKAGE, Pool, bin_dir, eventually

import warmpool


def exits(pool):
    """How each worker that has ended did so."""
    return re.findall(r"worker-exited .* cause=(\S+) code=(\S+)", pool.log())


def test_in_a_thread_too_an_odd_exception_is_a_failure():
    with Pool({"concurrency": 2, "credits": 2}) as pool, pool.client() as client:
        for how in ("unspeakable", "never", "inf"):
            with pytest.raises(warmpool.TaskDead):
                client.run("odd", how, retries=0, wait=60)


def test_a_class_with_concurrency_runs_several_at_once():
    with Pool({"concurrency": 2, "credits": 2}) as pool, pool.client() as client:
        first, second = client.map("meet", [b"", b""])  # each waits for the other
        assert first != second
        assert list(client.map("async.meet", [b"", b""])) == [True, True]
        assert list(client.map("same", range(200))) == list(range(200))


def test_without_concurrency_one_runs_after_the_other():
    with Pool({"credits": 8}) as pool, pool.client() as client:
        list(client.map("same", range(50)))  # known to be short, so that several are given at once
        begun = [client.submit("spin", 0.001) for _ in range(20)]
        assert [each.result() for each in begun] == ["spun"] * 20


def test_a_callback_that_raises_is_told_and_its_worker_goes_on():
    with Pool({"checkpoint_every": "20ms"}) as pool, pool.client() as client:
        before = client.run("context")["pid"]
        assert client.run("clumsy") == "asked"
        assert client.submit("same", 7).result(60) == 7
        assert client.run("context")["pid"] == before


def test_an_idle_worker_beats_and_is_not_taken_for_dead():
    with Pool(heartbeat_interval="20ms", unresponsive_after="400ms", dead_after="800ms", sample_interval="20ms") as pool:
        with pool.client() as client:
            before = client.run("context")["pid"]
            status = client.workers()[0]["last_heartbeat"]
            eventually(lambda: client.workers()[0]["last_heartbeat"] != status, "it beats")
            busy = client.submit("heed")
            with pytest.raises(TimeoutError):
                busy.result(1.6)  # twice dead_after: it runs, so silence is no fault
            busy.cancel()
            assert client.run("context")["pid"] == before
        assert "zombie-detected" not in pool.log()


def test_an_event_loop_that_is_blocked_does_not_beat():
    with Pool(heartbeat_interval="20ms", unresponsive_after="300ms", dead_after="600ms", sample_interval="20ms") as pool:
        with pool.client() as client:
            before = client.run("context")["pid"]
            assert client.run("async.block") == "left a mess"
            eventually(lambda: "zombie-detected" in pool.log(), "the silence is noticed")
            assert client.run("context")["pid"] != before


def test_retire_ends_it_after_what_it_has():
    with Pool() as pool:
        with pool.client() as client:
            running = client.submit("spin", 0.3)
            eventually(lambda: client.status()["tasks"]["running"] == 1, "it runs")
            client.request("scale", None, 0, 0)
            assert running.result() == "spun"
            eventually(lambda: exits(pool), "it ends")
        assert exits(pool) == [("requested", "0")]


def test_a_deaf_handler_is_interrupted_by_sigterm_and_cleans_up(tmp_path):
    with Pool(cancel_grace="20ms", term_grace="30s") as pool, pool.client() as client:
        note = str(tmp_path / "note")
        task = client.submit("deaf", note)
        eventually(lambda: os.path.exists(note + ".begun"), "it runs")
        assert client.cancel(task.accepted())[0] == "term"
        assert os.path.exists(note + ".cleaned")
        eventually(lambda: exits(pool), "it ends")
        assert exits(pool) == [("cancel", "0")]


def test_the_clean_up_of_an_interrupted_handler_may_speak(tmp_path):
    with Pool(cancel_grace="20ms", term_grace="30s") as pool, pool.client() as client:
        note = str(tmp_path / "note")
        task = client.submit("deaf.speaks", note, retries=0)
        eventually(lambda: os.path.exists(note + ".begun"), "it runs")
        os.kill(client.workers()[0]["pid"], signal.SIGTERM)
        with pytest.raises(warmpool.TaskDead):
            task.result(60)
        assert os.path.exists(note + ".cleaned")
        assert client.request("show", task.task)["checkpoint"]["bytes"] == 4


def test_an_async_task_that_is_cancelled_before_it_begins_is_answered(tmp_path):
    with Pool({"concurrency": 2, "credits": 2}, cancel_grace="10m", term_grace="10m") as pool, pool.client() as client:
        before = client.run("context")["pid"]
        begun, note = str(tmp_path / "begun"), str(tmp_path / "note")
        keeps = client.submit("async.keeps_the_loop", begun)
        eventually(lambda: os.path.exists(begun), "it keeps the loop")
        other = client.submit("async.heed", note, timeout=3600)
        other.accepted(60)
        eventually(lambda: os.path.exists(begun + ".other"), "the other one is to run")
        other.cancel()
        assert keeps.result(60) == "let go"
        eventually(lambda: client.request("show", other.task)["state"] == "cancelled", "the other one is answered")
        assert not os.path.exists(note + ".begun") and client.run("context", wait=60)["pid"] == before


def test_several_at_once_are_told_of_sigterm_too(tmp_path):
    with Pool({"concurrency": 2, "credits": 2}, term_grace="30s") as pool, pool.client() as client:
        notes = [str(tmp_path / name) for name in ("one", "other")]
        tasks = [client.submit("heed.noted", note, retries=0) for note in notes]
        eventually(lambda: all(map(os.path.exists, notes)), "they run")
        os.kill(client.workers()[0]["pid"], signal.SIGTERM)
        for task in tasks:
            with pytest.raises(warmpool.TaskDead, match="heard of it"):
                task.result(60)


def test_the_autopsy_of_a_fault_has_the_line_of_python():
    with Pool(crashes_max=1) as pool, pool.client() as client:
        task = client.submit("die", int(signal.SIGSEGV))
        with pytest.raises(warmpool.TaskDead):
            task.result(60)
        asked = subprocess.run([os.path.join(bin_dir(), "warmpool"), "--socket", pool.socket, "autopsy", str(task.accepted()), "--json"],
                               stdout=subprocess.PIPE, text=True, timeout=60, check=True)
        autopsy = json.loads(asked.stdout)["autopsies"][0]
        assert autopsy["signal"] == signal.SIGSEGV
        assert any("handlers.py" in line and "in die" in line for line in autopsy["output"]), autopsy


def test_the_end_of_the_daemon_ends_a_busy_worker():
    with Pool() as pool, pool.client(reconnect=0) as client:
        pid = client.run("context")["pid"]
        client.submit("spin", 600)
        eventually(lambda: client.status()["tasks"]["running"] == 1, "it runs")
        pool.end(signal.SIGKILL)
        eventually(lambda: not os.path.exists(f"/proc/{pid}"), "the worker is gone")


def test_a_worker_that_nobody_started_says_what_to_do():
    done = subprocess.run([sys.executable, "-B", "-m", "warmpool", os.path.join(os.path.dirname(__file__), "handlers.py")],
                          env={"PYTHONPATH": PACKAGE}, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "started by the daemon" in done.stderr


def test_the_types_of_a_module_can_be_asked_for():
    done = subprocess.run([sys.executable, "-B", "-m", "warmpool", "--types", "handlers"], cwd=os.path.dirname(__file__),
                          env={"PYTHONPATH": PACKAGE}, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert {"echo", "async.echo", "type.*"} <= set(done.stdout.split())
