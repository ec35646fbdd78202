"""What a client can rely on, sync."""
import concurrent.futures
import datetime
import os
import subprocess
import sys
import threading

import pytest
from handlers import large
from pool import PACKAGE, PATIENCE, Pool, eventually

import warmpool
from warmpool import content, futures
from warmpool.asking import Submit


@pytest.fixture(scope="module")
def pool():
    with Pool({"size": 2}, payload_bytes_max="1MiB") as made:
        yield made


@pytest.fixture
def client(pool):
    with pool.client() as made:
        yield made


def test_many_in_flight_are_all_answered(client):
    tasks = [client.submit("same", number) for number in range(500)]
    assert [each.result() for each in warmpool.as_completed(tasks)] != []
    assert [each.result() for each in tasks] == list(range(500))


def test_map_keeps_the_order_and_the_window(client):
    drawn = []

    def numbers():
        for number in range(100):
            drawn.append(number)
            yield number

    results = client.map("same", numbers(), window=8)
    assert next(results) == 0 and len(drawn) <= 9
    assert list(results) == list(range(1, 100))
    assert sorted(client.map("same", range(100), ordered=False)) == list(range(100))


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_is_at_least_one(client, window):
    with pytest.raises(ValueError, match="at least 1"):
        list(client.map("same", [1], window=window))


def test_what_a_map_leaves_is_cancelled(client):
    with pytest.raises(warmpool.TaskDead):
        list(client.map("fail", [9, 9, 9], retries=0))
    results = client.map("heed", [b""] * 4)
    with pytest.raises(TimeoutError):
        list(client.map("heed", [b""] * 4, wait=0.05))
    results.close()
    eventually(lambda: client.status()["tasks"]["running"] == 0, "they are cancelled")


def test_a_task_carries_its_wishes(client):
    task = client.submit(large, 10)
    assert task.result() == b"x" * 10
    waiting = client.enqueue(large, 10, delay=600, labels=["a"], tenant="t", priority=3, run_at=None)
    shown = client.request("show", waiting)
    assert (shown["timeout_seconds"], shown["priority"], shown["labels"]) == (60, 3, ["a"])
    client.cancel(waiting)


def test_times_may_be_timedeltas_and_dates(client):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    for wishes in ({"run_at": when}, {"delay": datetime.timedelta(hours=1)}):
        task = client.enqueue("same", **wishes)
        assert client.request("show", task)["state"] == "delayed"
        client.cancel(task)


@pytest.mark.parametrize("wishes, code", [({"priority": 101}, 202), ({"timeout": 0}, 203), ({"retries": 1001}, 204)])
def test_what_the_daemon_refuses_says_why(client, wishes, code):
    with pytest.raises(warmpool.Refused) as caught:
        client.run("same", **wishes)
    assert caught.value.code == code and client.run("same", 1) == 1


@pytest.mark.parametrize("wishes", [{"priority": "high"}, {"retries": -1}, {"key": b"x"}, {"tenant": "a\0b"}, {"labels": [1]}])
def test_what_would_break_the_protocol_is_found_before(client, wishes):
    with pytest.raises(ValueError):
        client.submit("same", **wishes)
    with pytest.raises(TypeError, match="no such wish: colour"):
        client.submit("same", colour="blue")
    assert client.run("same", 1) == 1


def test_a_progress_callback_that_raises_harms_nobody(client, caplog):
    assert client.run("steps", 3, progress=lambda *_: 1 / 0, wait=60) == "all"
    assert "ZeroDivisionError" in caplog.text


def test_a_dead_letter_gets_a_new_round_also_with_another_payload(client):
    dead = client.submit("fail", 9, retries=0)
    with pytest.raises(warmpool.TaskDead):
        dead.result()
    assert client.retry(dead.task)["retried"] == 1
    with pytest.raises(warmpool.TaskDead):
        client.wait(dead.task).result()
    assert client.retry(dead.task, 0)["retried"] == 1
    assert client.wait(dead.task).result() == "ok"
    with pytest.raises(warmpool.Refused) as refused:
        client.retry(dead.task, 1)
    assert refused.value.code in (301, 304)  # its result was taken
    with pytest.raises(warmpool.Refused) as refused:
        client.retry(dead.task, b"x" * (2 << 20))
    assert refused.value.code == 205


def test_results_can_be_fetched_later_by_another_client(client, pool):
    task = client.enqueue("same", "later")
    with pool.client() as other:
        assert other.wait(task).result() == "later"
    with pytest.raises(warmpool.Refused, match="301"):
        client.wait(1).result()


def test_the_same_key_is_the_same_task(client):
    first, second = (client.submit("same", 1, key="once", keep_result=True) for _ in range(2))
    assert first.accepted() == second.accepted()
    with pytest.raises(warmpool.Refused, match="206"):
        client.run("same", 2, key="once")


def test_cancel_of_a_future_ends_the_task_waiting_or_running(client):
    running = client.submit("heed")
    waiting = client.submit("same", delay=600)
    eventually(lambda: client.request("show", running.accepted())["state"] == "running", "it runs")
    for task in (running, waiting):
        assert task.cancel() and task.cancelled() and task.cancel()
        with pytest.raises(concurrent.futures.CancelledError):
            task.result()
        eventually(lambda: client.request("show", task.accepted(0))["state"] == "cancelled", "the daemon has cancelled it")
    done = client.submit("same", 1)
    assert done.result() == 1 and not done.cancel()
    assert concurrent.futures.wait([running, waiting, done], timeout=0).not_done == set()


def test_a_cancel_before_the_acceptance_reaches_the_daemon_too(client):
    before = client.status()["tasks"]["cancelled"]
    for _ in range(20):
        client.submit("same", delay=600).cancel()
    eventually(lambda: client.status()["tasks"]["cancelled"] == before + 20, "all are cancelled")


def test_events_come_as_they_happen(client):
    events = client.events("task-submitted", "task-completed")
    task = client.submit("same", 1).accepted()
    seen = []
    while len(seen) < 2:
        event = next(events)
        if event["task"] == task:
            seen.append(event["event"])
    assert seen == ["task-submitted", "task-completed"]
    assert all(each["event"] for each in client.events(follow=False, after=0))


def connections(client):
    return client.status()["clients"]["connected"]


def test_following_ends_with_who_follows(client):
    before = connections(client)
    for _ in client.events(follow=False, after=0):
        break
    events = client.events()
    eventually(lambda: connections(client) == before + 1, "one is left: the first went with its last reference")
    events.close()
    assert next(events, None) is None
    eventually(lambda: connections(client) == before, "none is left")


@pytest.mark.parametrize("ending", ["sys.exit()", "events.close(); os._exit(0)", "client.close(); os._exit(0)"])
def test_the_end_of_a_forked_child_ends_neither_events_nor_client(pool, ending):
    text = f"""
import os, sys, warmpool
client = warmpool.Client(sys.argv[1], reconnect=0)
events = client.events("type-paused")
if (child := os.fork()) == 0:
    {ending}
status = os.waitpid(child, 0)[1]
client.request("pause", "echo", None)
client.request("resume", "echo", None, None)
print(status, next(events)["event"])
"""
    ran = subprocess.run([sys.executable, "-B", "-c", text, pool.socket], capture_output=True, text=True, timeout=60,
                         env={**os.environ, "PYTHONPATH": PACKAGE})
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "0 type-paused\n", "")


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_may_be_in_any_of_its_codings(coding):
    text = '{"name": "Zoë"}'.encode(coding)
    for payload in (text, memoryview(text)):
        assert content.decode(payload, warmpool.words.Content.JSON) == {"name": "Zoë"}
    for wrong in (b'{"a": \xff}', b"NaN", b""):
        with pytest.raises(ValueError):
            content.decode(wrong, warmpool.words.Content.JSON)


def test_a_slow_listener_misses_nothing_and_is_told_how_it_ended(monkeypatch):
    monkeypatch.setattr(warmpool.events, "EVENTS_MAX", 5)
    with Pool(ready=False) as pool, pool.client(reconnect=0) as client:
        events = client.events("type-*")
        for _ in range(10):
            client.request("pause", "echo", None)
            client.request("resume", "echo", None, None)
        pool.end()
        seen = []
        with pytest.raises(warmpool.Lost):
            for event in events:
                seen.append(event)
        assert [each["event"] for each in seen] == ["type-paused", "type-resumed"] * 10


def test_threads_may_share_a_client(client):
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda number: client.run("same", number), range(200))) == list(range(200))


def test_a_callback_may_submit(client):
    chained, done = [], threading.Event()

    def again(future):
        if len(chained) < 5:
            chained.append(future.result())
            client.submit("same", len(chained)).add_done_callback(again)
        else:
            done.set()

    client.submit("same", 0).add_done_callback(again)
    assert done.wait(60) and chained == [0, 1, 2, 3, 4]


def test_nobody_there_is_said_with_what_to_do(tmp_path):
    with pytest.raises(warmpool.NoDaemon, match="start one with: warmpoold"):
        warmpool.Client(str(tmp_path / "none.sock"))


def test_a_long_path_is_reached(pool, tmp_path):
    deep = tmp_path / ("d" * 100)
    deep.symlink_to(pool.directory)
    with warmpool.Client(str(deep / "warmpool.sock")) as client:
        assert client.run("same", 1) == 1


def test_after_close_everything_is_lost_at_once(pool):
    client = pool.client()
    open_task = client.submit("same", delay=600)
    task = open_task.accepted()
    client.close()
    for future in (open_task, client.submit("same")):
        with pytest.raises(warmpool.Lost):
            future.result(10)
    with pool.client() as other:
        other.cancel(task)


def is_forgotten(client, task):
    try:
        client.request("show", task)
    except warmpool.Refused as refused:
        return refused.code == 301
    return False


def test_results_that_were_taken_are_not_kept(client):
    task = client.submit("echo", b"x" * 600_000)
    kept = client.submit("echo", b"y" * 600_000, keep_result=True)
    task.result(), kept.result()
    client.submit("echo", b"z" * 600_000).result()  # a megabyte: both are acknowledged
    eventually(lambda: is_forgotten(client, task.task), "it is dropped")
    assert client.wait(kept.task).result() == b"y" * 600_000


def test_what_a_callback_submits_leaves_while_it_goes_on(client, tmp_path):
    path, seen = tmp_path / "went on", threading.Event()

    def submits(_):
        client.submit("touch", str(path))
        eventually(path.exists, "it has run")
        seen.set()

    client.submit("same", 1).add_done_callback(submits)
    assert seen.wait(PATIENCE)


def test_waiting_for_an_id_takes_no_longer_than_it_was_given(monkeypatch):
    """The word that it has none came late."""
    future, now, asked = warmpool.TaskFuture(), [100.0], []

    class Told:
        def wait(self, seconds):
            now[0] += 0.75 * seconds
            return True

        def set(self):
            pass

    future._accepted = Told()
    monkeypatch.setattr(futures.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(future, "result", lambda seconds: asked.append(seconds) or future.accept(1))
    assert future.accepted(8) == 1 and asked == [2]


def test_what_is_refused_here_is_told_when_no_lock_is_held(client):
    """Who is told may wait for another thread, which asks the same client: an executor's lock is taken in there."""
    free = []

    def told(_):
        other = threading.Thread(target=lambda: free.append(client._conversation.open_count()), daemon=True)
        other.start()
        other.join(5)

    asked = Submit(futures.TaskFuture(), "same", b"", 0, [], False)
    asked.frame = refuse
    asked.future.add_done_callback(told)
    client._conversation.ask(asked)
    assert isinstance(asked.future.exception(PATIENCE), warmpool.Refused) and len(free) == 1


def refuse(_):
    raise warmpool.Refused(205, "too much")
