"""What becomes of what is open when the daemon goes, and comes back or not."""
import os
import signal

import pytest
from pool import Pool, eventually

import warmpool


def test_reconnect_submits_again_by_key_and_awaits_what_it_knows():
    with Pool() as pool, pool.client() as client:
        keyed = [client.submit("same", number, delay=0.5) for number in range(10)]
        unkeyed = client.submit("same", "known", delay=0.5, auto_key=False)
        for each in [*keyed, unkeyed]:
            each.accepted()
        pool.end(signal.SIGKILL)
        between = client.submit("same", "between")  # nobody is there: sent when somebody is
        blind = client.submit("same", "blind", auto_key=False)
        pool.start()
        assert [each.result(60) for each in keyed] == list(range(10))
        assert unkeyed.result(60) == "known" and between.result(60) == "between"
        try:  # it depends on whether the end was noticed before it was sent
            assert blind.result(60) == "blind"
        except warmpool.Lost:
            pass


def test_without_a_key_what_may_have_been_accepted_is_never_sent_twice():
    with Pool(ready=False) as pool, pool.client() as client:
        os.kill(pool.process.pid, signal.SIGSTOP)
        task = client.submit("same", auto_key=False)
        keyed = client.submit("same", 1)
        pool.end(signal.SIGKILL)
        pool.start()
        with pytest.raises(warmpool.Lost, match="whether it took effect"):
            task.result(60)
        assert keyed.result(60) == 1


def test_a_client_that_wants_to_know_at_once_is_told():
    with Pool(ready=False) as pool, pool.client(reconnect=0) as client:
        task = client.submit("same", delay=600)
        task.accepted()
        pool.end(signal.SIGKILL)
        with pytest.raises(warmpool.Lost):
            task.result(60)
        with pytest.raises(warmpool.Lost):
            client.run("same", wait=10)


def test_events_go_on_after_a_restart():
    with Pool(ready=False) as pool, pool.client() as client:
        events = client.events("type-paused")
        client.request("pause", "echo", None)
        assert next(events)["type"] == "echo"
        pool.end()
        pool.start()
        client.request("pause", "same", None)
        eventually(lambda: next(events).get("type") == "same", "an event of the new life")
