"""The client for asyncio."""
import asyncio

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
