"""The handlers of docs/sdk.md (conformance), in Python, each an `async def`. What waits waits in the event loop."""
import asyncio
import inspect
import os

import python_worker  # noqa: F401  its handlers are in the registry
from warmpool import Failed, task
from warmpool.tasks import registry


async def line_of(path):
    opened, loop = os.open(path, os.O_RDONLY | os.O_NONBLOCK), asyncio.get_running_loop()
    try:
        while not (line := read(opened)):
            came = asyncio.Event()
            loop.add_reader(opened, came.set)
            try:
                await asyncio.wait_for(came.wait(), 0.01)
            except asyncio.TimeoutError:
                pass
            finally:
                loop.remove_reader(opened)
        return line.decode().rstrip()
    finally:
        os.close(opened)


def read(descriptor):
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


async def gate(payload, ctx):
    ctx.progress(0.001, "begun")
    return await line_of(payload)


async def gate_reported(payload, ctx):
    ctx.progress(0.001, "begun")
    ctx.progress(0.002, "at the gate")
    return await line_of(payload)


async def heed(ctx):
    ctx.progress(0.001, "begun")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        raise Failed(f"told to end: {ctx.cancel_cause}") from None


async def checkpoint_asked(ctx):
    ctx.progress(0.001, "begun")
    while not ctx.checkpoint_wanted:
        await asyncio.sleep(0.001)
    ctx.checkpoint("asked")
    return "wanted" if ctx.checkpoint_wanted else "left"


def in_the_loop(plain):
    """A handler that waits for nothing, as an async one."""
    names = inspect.signature(plain).parameters

    async def handler(payload, ctx):
        given = {"payload": payload, "ctx": ctx}
        return plain(**{name: given[name] for name in names})

    return handler


WAITING = {"gate": gate, "gate.reported": gate_reported, "heed": heed, "checkpoint.asked": checkpoint_asked}
for name, made in list(registry.tasks.items()):
    task(name, raw=made.raw)(WAITING.get(name) or in_the_loop(made.function))
