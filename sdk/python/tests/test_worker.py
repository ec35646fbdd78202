"""What a worker and its handlers can rely on. Over FIFOs too, with WARMPOOL_TEST_CHANNEL=fifo."""
import os
import signal

import pytest
from pool import Pool, eventually

import warmpool
from warmpool import words


@pytest.fixture(scope="module")
def pool():
    with Pool(backoff_first="1ms", cancel_grace="10s") as made:
        yield made


@pytest.fixture
def client(pool):
    with pool.client() as made:
        yield made


def test_what_json_has_not_travels_packed(client):
    with pytest.raises(ValueError, match="Packed"):
        client.submit("same", {"x": float("nan")})
    with pytest.raises(warmpool.TaskDead, match="nan and inf travel in Packed"):
        client.run("nan", False)
    assert str(client.run("nan", True)) == "[nan, inf]"


@pytest.mark.parametrize("value", [b"", b"\0\xff", "text ü", "", {"a": [1, None, 2.5]}, None, 7])
def test_values_come_back_as_they_were_sent(client, value):
    assert client.run("same", value) == value


def test_a_payload_may_be_msgpack(client):
    assert client.run("echo", warmpool.Packed([b"x", 1])) == bytes.fromhex("92c4017801")  # raw: as they are, labelled as bytes
    assert client.run("unpacked", warmpool.Packed([b"x", 1])) == b"x"


def test_a_result_may_be_msgpack_or_nothing(client):
    assert client.run("packed") == {"bytes": b"\0\1"}
    assert client.run("nothing") is None


def test_a_pattern_serves_all_types_that_fit(client):
    assert client.run("type.one") == "type.one"


def test_the_context_knows_its_attempt(client):
    task = client.submit("context", timeout=30, deadline=20)
    seen = task.result()
    assert seen["task"] == task.task and (seen["round"], seen["attempt"], seen["failures"]) == (1, 1, 0)
    assert seen["timeout"] == 30 and 0 < seen["left"] <= 20 and seen["token"] and seen["workdir"] == "/" and seen["main"]


def test_one_process_serves_them_all(client):
    assert len({client.run("context")["pid"] for _ in range(20)}) == 1


def test_failures_are_tried_again_within_their_retries(client):
    assert client.run("fail", 2, retries=2) == "ok"
    with pytest.raises(warmpool.TaskDead, match="failure 2") as caught:
        client.run("fail", 5, retries=1)
    assert (caught.value.cause, caught.value.failures) == ("failed", 2)


def test_an_exception_is_told_with_its_words_and_its_place(client):
    with pytest.raises(warmpool.TaskDead) as caught:
        client.run("raise", "gone", retries=0)
    assert caught.value.error.startswith("LookupError: gone\n") and "in raises" in caught.value.error


ODD = [("unspeakable", "Unspeakable: .its text cannot be had: RuntimeError"), ("never", "RetryAfter, of which nothing more"),
       ("inf", "RetryAfter takes seconds from 0, not inf"), ("-1", "not -1")]


@pytest.mark.parametrize("name", ["odd", "async.odd"])
@pytest.mark.parametrize("how, said", ODD)
def test_an_exception_that_is_odd_is_a_failure_like_any(client, name, how, said):
    with pytest.raises(warmpool.TaskDead, match=said):
        client.run(name, how, retries=0, wait=60)


def test_a_time_beyond_all_is_the_longest(client):
    task = client.submit("odd", "1e300", retries=1)
    shown = eventually(lambda: (it := client.request("show", task.accepted()))["state"] == "delayed" and it, "it waits")
    assert shown["failures"] == 1
    client.cancel(task.task)


# Over a socket it goes as a descriptor: test_large.py.
TOO_LARGE = [("large", 2 << 20, "at most 1048576")] if os.environ.get("WARMPOOL_TEST_CHANNEL") == "fifo" else []


@pytest.mark.parametrize("name, payload, said", [
    ("fatal", b"", "no retry can help"), ("unsendable", b"", "cannot be sent"), *TOO_LARGE,
    ("no.such.handler", b"", "no handler for the type 'no.such.handler'")])
def test_where_no_retry_can_help_there_is_none(client, name, payload, said):
    with pytest.raises(warmpool.TaskDead, match=said) as caught:
        client.run(name, payload)
    assert caught.value.cause == "failed-for-good"


def test_a_handler_may_ask_for_another_try_later(client):
    task = client.submit("later")
    assert task.result() == "now" and task.settled.attempt == 2


def test_a_handler_may_hand_its_task_to_a_person(client, tmp_path):
    task = client.submit("held", str(tmp_path / "looked"))
    eventually(lambda: client.request("show", task.accepted())["state"] == "held", "it is held")
    (tmp_path / "looked").touch()
    client.request("release", task.task)
    assert task.result(60) == "released"


def test_what_calls_itself_an_exit_fails_its_task_only(client):
    before = client.run("context")["pid"]
    with pytest.raises(warmpool.TaskDead, match="SystemExit: 3"):
        client.run("exit", retries=0)
    assert client.run("context")["pid"] == before


def test_progress_arrives_and_the_last_one_always(client):
    seen = []
    assert client.run("steps", 50, progress=lambda done, text: seen.append((done, text))) == "all"
    assert seen[-1] == (1.0, "step 50")


def test_what_there_is_of_a_result_arrives_before_it(client, tmp_path):
    seen, words, go = [], ["a", "b", {"c": None}], tmp_path / "go"
    task = client.submit("parts", {"words": words, "go": str(go)}, partial=seen.append)
    eventually(lambda: seen and seen[-1] == words, "the latest one comes though the handler goes on")
    assert not task.done() and all(words[:len(each)] == each for each in seen)
    go.touch()
    assert task.result(60) == words
    assert client.wait(task.accepted()).result(60) == words  # kept: the result, and nothing before


def test_a_client_that_knows_no_partial_results_is_told_of_the_progress_alone(pool, monkeypatch, tmp_path):
    monkeypatch.setattr(warmpool.link, "WANTED", warmpool.link.WANTED & ~words.Feature.PARTIAL)
    seen, none, go = [], [], tmp_path / "go"
    with pool.client() as old:  # which takes a payload of progressed for a broken protocol
        task = old.submit("parts", {"words": ["a", "b"], "go": str(go)}, progress=lambda done, _: seen.append(done), partial=none.append)
        eventually(lambda: seen and seen[-1] == 1, "progress comes")
        go.touch()
        assert task.result(60) == ["a", "b"] and not none


def test_a_partial_result_has_a_bound():
    with pytest.raises(ValueError, match="65537 bytes, at most 65536"):
        warmpool.context.Context.progress(None, 0.5, partial=b"x" * 65537)


def test_what_a_handler_says_of_its_worker_is_shown(client):
    def shown():
        return [client.request("worker", row["id"]) for row in client.request("workers")["workers"]]

    def gauges():
        return [one["health_score"]["gauges"] for one in shown()]

    client.run("ail", -7, wait=60)
    eventually(lambda: {"queue": -7} in gauges(), "its gauge is shown")
    eventually(lambda: "the small model" in [one["health_score"]["degraded"] for one in shown()], "it is degraded")
    for bad in (("a b", 1), ("x", 1.5), ("x", 2**63)):
        with pytest.raises(ValueError, match="a gauge"):
            warmpool.context.Context.gauge(None, *bad)


def test_a_handler_that_asks_is_told_of_cancel_and_timeout(client):
    task = client.submit("heed")
    eventually(lambda: client.request("show", task.accepted())["state"] == "running", "it runs")
    assert client.cancel(task.task) == ("frame", "cancelled")
    with pytest.raises(warmpool.TaskCancelled):
        task.result()
    with pytest.raises(warmpool.TaskDead, match="heard of it: timeout") as caught:
        client.run("heed", timeout=0.05, retries=0)
    assert caught.value.cause == "timeout"


def test_prints_never_corrupt_the_channel_and_are_kept(client):
    task = client.submit("print")
    assert task.result() == "printed"
    said = "".join(line["text"] for line in client.request("log", task.task)["lines"])
    assert "stray words" in said and "of a child" in said and "of the log" in said


@pytest.mark.parametrize("how, status", [("returns", 0), ("exits", 7), ("raises", 1)])
def test_a_forked_child_that_comes_out_of_the_handler_ends_and_its_parent_hears(client, how, status):
    for _ in range(2):
        assert client.submit("fork.comes_out", how, retries=0, crashes_max=1).result(60) == status
    future = client.submit("heed", retries=0)
    eventually(lambda: client.request("show", future.accepted(60))["state"] == "running", "it runs")
    future.cancel()
    eventually(lambda: client.request("show", future.task)["state"] == "cancelled", "it heard")
    assert client.run("same", b"x") == b"x"


def test_a_forked_child_is_no_worker(client):
    assert client.run("fork") == -signal.SIGTERM
    assert client.run("same", 1) == 1


def test_an_async_handler_runs_and_reports(client):
    assert client.run("async.echo", "hi") == "hi"


@pytest.mark.parametrize("name", ["resume", "async.resume"])
def test_an_attempt_goes_on_where_the_one_before_left_off(client, name):
    task = client.submit(name, 4, retries=5)
    assert task.result() == 4
    assert client.request("show", task.task)["attempt"] == 4


def test_cancelling_an_async_handler_runs_its_finally(client, tmp_path):
    note = str(tmp_path / "note")
    task = client.submit("async.heed", note)
    eventually(lambda: os.path.exists(note + ".begun"), "it runs")
    assert client.cancel(task.accepted()) == ("frame", "cancelled")
    assert os.path.exists(note + ".cleaned")


def test_a_dead_worker_costs_its_own_task_one_attempt(client):
    with pytest.raises(warmpool.TaskDead) as caught:
        client.run("die", int(signal.SIGKILL), crashes_max=1)
    assert (caught.value.cause, caught.value.crashes) == ("crashed", 1)
    assert client.run("same", "alive") == "alive"
