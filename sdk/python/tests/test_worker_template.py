"""Workers that a template forks. Over FIFOs too, with WARMPOOL_TEST_CHANNEL=fifo."""
import os
import signal

import pytest
from pool import PACKAGE, Pool, eventually


class Templated(Pool):
    def __init__(self, wayward="", environment=(), size=1, **options):
        preload = options.pop("preload", ["json", "templated"])
        super().__init__({"preload": preload, "size": size, "directory": options.pop("directory", "none"),
                          "environment": [f"PYTHONPATH={PACKAGE}", f"WAYWARD={wayward}", *environment]}, module="templated.py", **options)

    def template(self):
        with self.client() as client:
            return client.status()["classes"][0]["template"]

    def worker(self):
        with self.client() as client:
            return client.workers()[0]

    def replaced(self):
        """Kills the worker; the row of the next one."""
        before = self.worker()["pid"]
        os.kill(before, signal.SIGKILL)
        return eventually(lambda: (row := self.worker())["state"] == "ready" and row["pid"] != before and row, "it is replaced")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_worker_is_forked_and_is_itself():
    with Templated(size=2) as pool, pool.client() as client:
        seen = {}
        for _ in range(20):  # round robin
            it = client.run("itself")
            seen[it["pid"]] = it
        assert len(seen) == 2
        template = pool.template()
        assert template["state"] == "ready" and template["forked"] == 2
        for pid, it in seen.items():
            assert it["loaded_by"] == template["pid"] != pid
            assert it["parent"] == pool.process.pid and it["session"] == it["group"] == pid
            assert it["mark"] == "WARMPOOL_MARK=" + it["environment"]["WARMPOOL_MARK"]
            assert it["mark"].endswith(f"{int(it['environment']['WARMPOOL_WORKER']):016x}")
            assert it["environment"]["WORKER_ID"] == it["environment"]["WARMPOOL_SLOT"]
            assert not it["secret"]
            assert not {"WARMPOOL_TOKEN", "WARMPOOL_CHANNEL", "WARMPOOL_TEMPLATE", "WARMPOOL_PRELOAD"} & set(it["environment"])
        assert len({it["mark"] for it in seen.values()}) == 2
        assert {row["template"] for row in client.workers()} == {1}


def test_it_has_no_descriptor_more_than_one_that_was_started():
    class_options = {"environment": [f"PYTHONPATH={PACKAGE}", "WAYWARD="]}
    with Pool(class_options, module="templated.py") as pool, pool.client() as client:
        plain = client.run("itself")
        assert plain["loaded_by"] == plain["pid"]
    with Templated() as pool, pool.client() as client:
        forked = client.run("itself")
        assert forked["descriptors"] == plain["descriptors"]
        assert forked["environment"].keys() == plain["environment"].keys()


@pytest.mark.parametrize("preload", [["templated"], []])
def test_what_each_worker_has_for_itself_is_made_once_in_it(preload):
    with Templated(preload=preload) as pool, pool.client() as client:
        assert client.run("own") == ['"""Tasks of a worker that a template forks. WAYWARD: what a module does that keeps one from it."""\n', True]
        assert bool(preload) == (client.run("itself")["loaded_by"] != client.run("itself")["pid"])


def test_hooks_run_when_the_daemon_has_taken_the_worker_in():
    """Before that it is in the cgroup of its template, and what a hook starts would go with that."""
    with Templated("looks") as pool, pool.client() as client:
        (state,) = client.run("seen")
        assert state in ("ready", "running")


@pytest.mark.parametrize("preload", [["templated"], []])
def test_what_is_added_in_a_task_is_called_at_once(preload):
    with Templated(preload=preload) as pool, pool.client() as client:
        assert client.run("late") is True


def test_two_workers_draw_different_numbers():
    with Templated(size=2) as pool, pool.client() as client:
        drawn = [client.run("draw") for _ in range(4)]
        for each in zip(*drawn):
            assert len(set(each)) == 4


def test_its_output_is_its_own_tasks():
    with Templated() as pool, pool.client() as client:
        for text in ("one", "two"):
            client.run("say", text)
        shown = client.request("worker", "py-0")["output"]
        assert [line["text"] for line in shown] == ["one", "two"]
        assert len({line["task"] for line in shown}) == 2


def test_one_that_is_killed_is_replaced_by_a_fork_with_all_that_it_left():
    with Templated(restart_cooldown="1ms", restart_backoff_max="1ms") as pool, pool.client() as client:
        left = client.run("leave")
        assert alive(left)
        row = pool.replaced()
        assert row["template"] == 1
        eventually(lambda: not alive(left), "what it left is gone")
        assert client.run("itself")["loaded_by"] == pool.template()["pid"]


def test_the_end_of_the_daemon_is_the_end_of_all():
    with Templated() as pool:
        pids = [pool.template()["pid"], pool.worker()["pid"]]
        pool.end(signal.SIGKILL)
        for pid in pids:
            eventually(lambda pid=pid: not alive(pid), "it is gone")


def test_a_template_that_is_killed_costs_no_worker():
    with Templated(backoff_first="1ms", backoff_max="1ms", restart_cooldown="1ms", restart_backoff_max="1ms") as pool:
        before = pool.worker()["pid"]
        os.kill(pool.template()["pid"], signal.SIGKILL)
        eventually(lambda: (it := pool.template())["state"] == "ready" and it["generation"] > 1, "there is another one")
        assert pool.worker()["pid"] == before
        assert pool.replaced()["template"] > 1


def test_a_template_that_hangs_is_given_up():
    with Templated(unresponsive_after="2s", heartbeat_interval="20ms", dead_after="30s", backoff_first="1h", backoff_max="1h",
                   restart_cooldown="1ms", restart_backoff_max="1ms") as pool:
        hung = pool.template()["pid"]
        os.kill(hung, signal.SIGSTOP)
        assert pool.replaced()["template"] is None
        assert pool.template()["state"] == "resting" and "has not answered" in pool.template()["reason"]
        eventually(lambda: not alive(hung), "it is killed")


@pytest.mark.parametrize(("wayward", "state", "reason"), [
    ("thread", "unfit", "started 1 threads"),
    ("descriptor", "unfit", "left descriptors open"),
    ("raise", "resting", "RuntimeError: not in a template"),
    ("hook-hangs", "resting", "has not answered"),
    ("hook-thread", "unfit", "warmpool.on_fork"),
    ("hook-opens", "unfit", "warmpool.on_fork"),
])
def test_where_no_template_is_workers_start_without(wayward, state, reason):
    with Templated(wayward, unresponsive_after="2s", heartbeat_interval="20ms", dead_after="30s", backoff_first="1h",
                   backoff_max="1h") as pool, pool.client() as client:
        it, template = client.run("itself"), pool.template()
        assert it["loaded_by"] == it["pid"]
        assert template["state"] == state and reason in template["reason"]
        assert pool.worker()["template"] is None
        assert client.workers()[0]["unproductive_deaths"] == 0


def test_a_module_that_is_not_there_is_said_with_its_traceback():
    with Templated(preload=["no_such_module"], backoff_first="1h", backoff_max="1h") as pool, pool.client() as client:
        assert client.run("itself")["loaded_by"] != pool.template()["pid"]
        assert "No module named 'no_such_module'" in pool.template()["reason"]
        assert "Traceback (most recent call last):" in pool.log()


def test_a_forked_worker_is_in_the_directory_of_its_place():
    with Templated(size=2, directory="kept") as pool, pool.client() as client:
        places = {client.run("place") for _ in range(20)}  # round robin
        root = os.path.join(pool.directory, "state/directories/py/kept")
        assert places == {os.path.join(root, "py-0"), os.path.join(root, "py-1")}


def test_an_attempt_of_a_forked_worker_has_a_directory_of_its_own():
    with Templated(directory="fresh") as pool, pool.client() as client:
        first, second = client.run("workdir"), client.run("workdir")
        assert first != second and os.path.dirname(first) == os.path.join(pool.directory, "state/directories/py/fresh")
        eventually(lambda: not os.listdir(os.path.dirname(first)), "both are removed")


def test_a_restart_and_a_reload_load_anew(tmp_path):
    file = tmp_path / "source"
    file.write_text("old")
    with Templated("source", environment=[f"SOURCE={file}"]) as pool, pool.client() as client:
        assert client.run("source") == "old"
        file.write_text("new")
        client.request("restart", None, "py")
        eventually(lambda: client.run("source") == "new", "the successor has what is there now")
        eventually(lambda: pool.worker()["template"] == 2, "its predecessor has gone")
        pool.process.send_signal(signal.SIGHUP)
        eventually(lambda: pool.template()["generation"] == 3 and pool.template()["state"] == "ready", "a reload makes a generation")
        assert pool.worker()["template"] == 2
