"""The client for asyncio."""
import asyncio
import inspect
import os
import signal
import threading

import pytest
from pool import Pool

import warmpool


@pytest.fixture(scope="module")
def pool():
    with Pool({"size": 2}) as made:
        yield made


def run(pool, body):
    async def connected():
        async with warmpool.AsyncClient(pool.socket) as client:
            return await asyncio.wait_for(body(client), 60)

    return asyncio.run(connected())


def test_run_submit_and_wait(pool):
    async def body(client):
        task = await client.submit("same", 1)
        assert await task == 1 and task.done() and task.settled.task == await task.accepted()
        later = await client.enqueue("same", "later")
        assert await client.wait(later) == "later"
        return await client.run("same", 2)

    assert run(pool, body) == 2


def test_many_at_once_and_as_they_come(pool):
    async def body(client):
        tasks = [await client.submit("same", number) for number in range(100)]
        assert sorted([await each for each in asyncio.as_completed(tasks)]) == list(range(100))
        return [value async for value in client.map("same", range(50), window=4)]

    assert run(pool, body) == list(range(50))


def test_a_window_is_at_least_one(pool):
    async def body(client):
        with pytest.raises(ValueError, match="at least 1"):
            async for _ in client.map("same", [1], window=0):
                pass
        return True

    assert run(pool, body)


def test_a_failure_is_raised(pool):
    async def body(client):
        with pytest.raises(warmpool.TaskDead, match="no retry"):
            await client.run("fatal")
        with pytest.raises(warmpool.TaskDead):
            async for _ in client.map("fatal", [b""] * 5):
                pass
        return True

    assert run(pool, body)


def test_who_gives_up_waiting_cancels_the_task(pool):
    async def body(client):
        task = await client.submit("heed")
        number = await task.accepted()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(task, 0.05)
        while (await client.request("show", number))["state"] != "cancelled":
            await asyncio.sleep(0.01)
        shielded = await client.submit("same", 3, delay=0.2)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(shielded), 0.01)
        return await shielded

    assert run(pool, body) == 3


def test_the_loop_goes_on_while_tasks_run(pool):
    async def body(client):
        ticks = 0
        task = await client.submit("heed", timeout=0.3, retries=0)
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.01)
        with pytest.raises(warmpool.TaskDead):
            await task
        return ticks

    assert run(pool, body) > 5


def test_it_is_the_same_client():
    """Every method of Client, with the same arguments; give, received, follow and reads_here are the executor's."""
    own = {"give", "received", "follow", "reads_here"}
    names = {name for name, _ in inspect.getmembers(warmpool.Client, inspect.isfunction) if not name.startswith("_")} - own
    for name in names:
        sync, other = (inspect.signature(getattr(each, name)).parameters for each in (warmpool.Client, warmpool.AsyncClient))
        assert list(sync.values()) == list(other.values()), name
    assert {"submit", "map", "run", "events", "workers", "cancel"} <= names


def test_map_as_they_come_and_no_longer_than_told(pool):
    async def body(client):
        assert sorted([value async for value in client.map("same", range(50), ordered=False)]) == list(range(50))
        assert await client.run("steps", 3, progress=lambda done, text: seen.append(text), wait=60) == "all"
        with pytest.raises(TimeoutError):
            async for _ in client.map("heed", [b""], wait=0.05):
                pass
        with pytest.raises(TimeoutError):
            await client.run("heed", wait=0.05, timeout=5)
        assert len(await client.workers()) == 2
        return seen[-1]

    seen = []
    assert run(pool, body) == "step 3"


def test_partial_results_come_in_the_loop(pool, tmp_path):
    async def body(client):
        words, seen, go, whole = ["a", "b"], [], tmp_path / "go", asyncio.Event()

        def came(value):
            asyncio.get_running_loop()  # called there
            seen.append(value)
            if value == words:
                whole.set()

        task = await client.submit("parts", {"words": words, "go": str(go)}, partial=came)
        await whole.wait()
        assert not task.done()
        go.touch()
        return await task == words and seen[-1] == words

    assert run(pool, body)


def test_events_are_followed_until_the_end(pool):
    async def body(client):
        async with await client.events("type-*") as events:
            await client.request("pause", "echo", None)
            await client.request("resume", "echo", None, None)
            seen = [(await anext(events))["event"] for _ in range(2)]
        return seen, [each async for each in events], [each["event"] async for each in await client.events(follow=False, after=0)][-1]

    assert run(pool, body) == (["type-paused", "type-resumed"], [], "type-resumed")


@pytest.mark.parametrize("size", [1_000_000, 8 << 20], ids=["inline", "handed over"])
def test_a_daemon_that_does_not_read_keeps_no_loop(pool, size):
    async def body(client):
        ticks, payload = 0, b"x" * size
        os.kill(pool.process.pid, signal.SIGSTOP)
        late = threading.Timer(20, os.kill, (pool.process.pid, signal.SIGCONT))
        late.start()
        submits = [asyncio.create_task(client.submit("kind", payload)) for _ in range(2)]
        for _ in range(20):
            await asyncio.sleep(0.01)
            ticks += late.is_alive()
        late.cancel()
        os.kill(pool.process.pid, signal.SIGCONT)
        tasks = [await each for each in submits]
        return ticks, [(await each)[1] for each in tasks]

    assert run(pool, body) == (20, [size, size])


def test_who_waits_for_an_id_keeps_no_thread_and_no_close(pool):
    async def body():
        client = warmpool.AsyncClient(pool.socket, reconnect=0)
        await client.connect()
        assert await client.run("same", 1) == 1
        os.kill(pool.process.pid, signal.SIGSTOP)
        late = threading.Timer(50, os.kill, (pool.process.pid, signal.SIGCONT))
        late.start()
        try:
            waiting = [asyncio.create_task((await client.submit("same", number)).accepted()) for number in range(100)]
            assert await asyncio.wait_for(asyncio.to_thread(lambda: "a thread is free"), 60) == "a thread is free"
            loop_threads = asyncio.get_running_loop()._default_executor
            closing = [asyncio.to_thread(late.join) for _ in range(loop_threads._max_workers)]
            busy = asyncio.gather(*closing)  # none is free now
            await asyncio.wait_for(client.close(), 60)
            for each in waiting:
                with pytest.raises(warmpool.Lost):
                    await each
            return late.is_alive(), busy
        finally:
            late.cancel()
            os.kill(pool.process.pid, signal.SIGCONT)

    async def whole():
        alive, busy = await body()
        await busy
        return alive

    assert asyncio.run(whole())


def test_an_id_that_never_comes_says_why(pool):
    async def body(client):
        with pytest.raises(warmpool.Refused):
            await (await client.submit("same", 1, priority=101)).accepted()
        gone = await client.submit("same", 1, delay=600)
        number = await gone.accepted()
        return number == await gone.accepted() and gone.cancel()

    assert run(pool, body)
