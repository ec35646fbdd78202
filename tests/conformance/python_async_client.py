"""The program of docs/sdk.md (conformance) around the Python client for asyncio."""
import asyncio
import json
import sys
import threading

import python_client
import warmpool
from python_client import given, say, said_end, told, wishes_of


async def say_end(name, ask):
    """Says what becomes of it, whatever that is."""
    try:
        return await ask
    except Exception as error:
        said_end(name, error)


class Program:
    client = None

    def __init__(self):
        self.running = set()

    def spawn(self, what):
        made = asyncio.get_running_loop().create_task(what)
        self.running.add(made)
        made.add_done_callback(self.running.discard)

    async def connect(self, socket, reconnect_ms):
        self.client = None
        try:
            self.client = await warmpool.AsyncClient(socket, reconnect=reconnect_ms / 1000).connect()
            say("connected")
        except (warmpool.WarmpoolError, warmpool.ProtocolError) as error:
            say("unconnected", code=getattr(error, "code", None), text=str(error))

    async def submit(self, name, type, payload, options):
        self.spawn(say_end(name, self._follow(name, await self._submitted(name, type, payload, options))))

    async def _submitted(self, name, type, payload, options):
        try:
            return await self.client.submit(type, given(payload), **wishes_of(name, options))
        except Exception as error:
            said_end(name, error)

    async def _follow(self, name, made):
        if made is None:
            return
        say("accepted", name, id=str(await made.accepted()))
        say("settled", name, verdict="done", cause="done", payload=told(await made))

    async def await_(self, name, id):
        async def ask():
            say("settled", name, verdict="done", cause="done", payload=told(await self.client.wait(int(id))))

        self.spawn(say_end(name, ask()))

    async def cancel(self, name, id):
        async def ask():
            rung, state = await self.client.cancel(int(id))
            say("cancelled", name, rung=rung, state=state)

        self.spawn(say_end(name, ask()))

    async def request(self, name, verb, arguments):
        async def ask():
            say("reply", name, document=await self.client.request(verb, *arguments))

        self.spawn(say_end(name, ask()))

    async def close(self):
        if self.client is not None:
            await self.client.close()
        say("closed")


async def serve():
    program, commands, loop = Program(), asyncio.Queue(), asyncio.get_running_loop()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(commands.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(commands.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while (command := await commands.get()) is not None:
        await python_client.obey(program, command)


if __name__ == "__main__":
    asyncio.run(serve())
