"""What the workers of the tests run."""
import asyncio
import gc
import io
import os
import subprocess
import sys
import threading
import time
import zlib

from warmpool import Failed, FailedForGood, Held, Packed, RetryAfter, task
from warmpool.context import Context

together = threading.Barrier(2)
kept = []


@task("echo", raw=True)
def echo(payload):
    return payload


@task("same")
def same(payload):
    return payload


@task("kind")
def kind(payload):
    """What it was given."""
    view = memoryview(payload)
    return [type(payload).__name__, len(view), view.readonly]


@task("many")
def many(payload):
    return b"m" * payload


@task("type.*")
def which(payload, ctx):
    return ctx.type


@task("context")
def context(payload, ctx):
    return {"task": ctx.task, "round": ctx.round, "attempt": ctx.attempt, "timeout": ctx.timeout, "left": ctx.time_left(),
            "failures": ctx.failures, "token": ctx.token > 0, "workdir": ctx.workdir, "pid": os.getpid(),
            "main": threading.current_thread() is threading.main_thread()}


@task("packed")
def packed():
    return Packed({"bytes": b"\0\1"})


@task("nan")
def nan(payload):
    value = [float("nan"), float("inf")]
    return Packed(value) if payload else value


@task("unpacked")
def unpacked(payload):
    return payload[0]


@task("nothing")
def nothing():
    return None


@task("unsendable")
def unsendable():
    return {1, 2}


@task("large", timeout=60)
def large(payload):
    return b"x" * payload


@task("fail")
def fail(payload, ctx):
    if ctx.failures < payload:
        raise Failed(f"failure {ctx.failures + 1}")
    return "ok"


@task("raise")
def raises(payload):
    raise LookupError(payload)


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def raise_it(how):
    error = RetryAfter(0.01, "soon")
    if how == "unspeakable":
        error = Unspeakable()
    elif how == "never":
        error.retry_after = float("nan")
    else:
        error = RetryAfter(float(how))
    raise error


@task("odd")
def odd(payload):
    raise_it(payload)


@task("async.odd")
async def async_odd(payload):
    raise_it(payload)


@task("fatal")
def fatal():
    raise FailedForGood("no retry can help")


@task("later")
def later(payload, ctx):
    if ctx.failures == 0:
        raise RetryAfter(0.01, "busy")
    return "now"


@task("held")
def held(payload, ctx):
    if not os.path.exists(payload):
        raise Held("a person must look")
    return "released"


@task("exit")
def exits():
    sys.exit(3)


@task("die")
def die(payload):
    os.kill(os.getpid(), payload)


@task("heed")
def heed(ctx):
    if ctx.wait(60):
        raise Failed(f"heard of it: {ctx.cancel_cause}")


@task("heed.noted")
def heed_noted(payload, ctx):
    """Leaves a note that it has begun."""
    open(payload, "x").close()
    if ctx.wait(60):
        raise Failed(f"heard of it: {ctx.cancel_cause}")


@task("touch")
def touch(payload):
    open(payload, "x").close()


@task("deaf")
def deaf(payload):
    """Does not ask its context; leaves a note when it is interrupted."""
    try:
        open(payload + ".begun", "x").close()
        time.sleep(60)
    finally:
        open(payload + ".cleaned", "x").close()


@task("deaf.speaks")
def deaf_speaks(payload, ctx):
    """As deaf; its clean-up says what there is to say."""
    try:
        open(payload + ".begun", "x").close()
        time.sleep(60)
    finally:
        ctx.progress(0.5, "cleans up")
        ctx.checkpoint("half")
        ctx.gauge("cleaned", 1)
        open(payload + ".cleaned", "x").close()


@task("steps")
def steps(payload, ctx):
    for step in range(1, payload + 1):
        ctx.progress(step / payload, f"step {step}")
    return "all"


@task("parts")
def parts(payload, ctx):
    """What there is so far, until the file is there."""
    words = payload["words"]
    for count in range(1, len(words) + 1):
        ctx.progress(count / len(words), partial=words[:count])
    wait_until_there(payload["go"])
    return words


@task("ail")
def ails(payload, ctx):
    ctx.gauge("queue", payload)
    ctx.degraded("the small model")


@task("print")
def prints(payload, ctx):
    print("stray words" * 1000)
    print("no line feed", end="")
    os.write(1, b"\x00\x01raw bytes\xff\n")
    subprocess.run(["sh", "-c", "echo of a child; ls /proc/self/fd | wc -l"], check=True)
    ctx.log.info("of the log")
    return "printed"


@task("fork.comes_out")
def fork_comes_out(payload):
    """Its child leaves the handler as `payload` says: how that child ends."""
    child = os.fork()
    if child == 0:
        if payload == "raises":
            raise LookupError("of the child")
        if payload == "exits":
            sys.exit(7)
        return "the child's"
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@task("fork")
def fork():
    """A child that is ended by SIGTERM."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(reads, 1)
    os.kill(child, 15)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@task("meet")
def meet():
    together.wait(30)
    return threading.get_ident()


@task("async.meet")
async def async_meet():
    kept.append(asyncio.get_running_loop())
    for _ in range(3000):
        if len(kept) >= 2:
            return kept[0] is kept[1]
        await asyncio.sleep(0.01)
    raise Failed("alone")


@task("async.echo")
async def async_echo(payload, ctx):
    await asyncio.sleep(0)
    ctx.progress(0.5)
    return payload


@task("resume")
def resume(payload, ctx):
    """Goes one step at each attempt."""
    at = (ctx.restored or {"at": 0})["at"] + 1
    if at < payload:
        ctx.checkpoint({"at": at})
        raise Failed(f"at {at}")
    return at


@task("clumsy")
def clumsy(payload, ctx):
    """What it is called with raises."""
    asked = threading.Event()

    def too_large():
        asked.set()
        ctx.checkpoint("x" * (1 << 20))

    ctx.on_checkpoint_wanted = too_large
    return "asked" if asked.wait(60) else "never asked"


@task("async.resume")
async def async_resume(payload, ctx):
    await asyncio.sleep(0)
    return resume(payload, ctx)


@task("async.heed")
async def async_heed(payload):
    try:
        open(payload + ".begun", "x").close()
        await asyncio.sleep(60)
    finally:
        open(payload + ".cleaned", "x").close()


@task("async.block")
async def async_block():
    """Blocks the loop after its answer: what still holds it keeps the worker from beating."""
    asyncio.get_running_loop().call_later(0.01, time.sleep, 60)
    return "left a mess"


@task("async.keeps_the_loop")
async def keeps_the_loop(payload, ctx):
    """Nothing else runs in the loop until another task of this worker, which has a timeout, is told to end. Leaves a note when that is to
    run: its time is counted from then on."""
    def others():
        return [each for each in gc.get_objects() if isinstance(each, Context) and each is not ctx]

    open(payload, "x").close()
    while not any(each.deadline is not None for each in others()):
        time.sleep(0.005)
    open(payload + ".other", "x").close()
    while not any(each.cancelled for each in others()):
        time.sleep(0.005)
    return "let go"


@task("spin")
def spin(payload):
    end = time.monotonic() + payload
    while time.monotonic() < end:
        pass
    return "spun"


@task("talk")
def talk(payload):
    import random_output
    random_output.perform(payload)


@task("talk.together")
def talk_together(payload):
    import random_output
    for _ in random_output.performed(random_output.script(payload), flushes=False):
        time.sleep(0)  # another one's turn


@task("async.talk.together")
async def async_talk_together(payload):
    import random_output
    for _ in random_output.performed(random_output.script(payload), flushes=False):
        await asyncio.sleep(0)


@task("talk.forge")
def talk_forge(payload):
    """As if it were of the task of that id."""
    print(f"before \x1e{payload:016x}\x1fforged " + "\x1e" * 3000)
    sys.stdout.buffer.write(b"\x1e%08x" % (payload >> 32))
    sys.stdout.buffer.write(b"%08x\x1fin two\n" % (payload & 0xffffffff))


@task("talk.long")
def talk_long(payload):
    """A line without an end for long, and one after it."""
    for _ in range(20):
        print("y" * payload, end="")
        thread = threading.Thread(target=print, args=("of nobody",))
        thread.start()
        thread.join()
    print("\nafter it")


@task("talk.redirected")
def talk_redirected():
    print("held", end="")
    sys.stdout = io.StringIO()


@task("talk.child")
def talk_child():
    """The child has no part in what its parent holds."""
    print("of the parent", end="")
    child = os.fork()
    if child == 0:
        print("of the child")
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    print(", whole")


@task("talk.old")
def talk_old():
    print("by the old one", file=sys.__stdout__)
    os.kill(os.getpid(), 9)


@task("async.talk.late")
async def talk_late(payload):
    """What it leaves behind prints when the file is there."""
    async def later():
        while not os.path.exists(payload):
            await asyncio.sleep(0.005)
        print("said late", end="")

    kept.append(asyncio.create_task(later()))
    print("in time, ", end="")


@task("talk.half_and_die")
def talk_half_and_die():
    print("last words", end="", flush=True)
    os.kill(os.getpid(), 9)


@task("talk.die")
def talk_die():
    print("last words", flush=True)
    os.kill(os.getpid(), 9)


def wait_until_there(path):
    while not os.path.exists(path):
        time.sleep(0.005)


@task("talk.fail")
def talk_fail(payload):
    """After its neighbour has printed."""
    open(payload, "x").close()
    wait_until_there(payload + ".said")
    print("its own")
    raise LookupError("on purpose")


@task("talk.wait")
def talk_wait(payload):
    wait_until_there(payload)
    print("of the neighbour")
    open(payload + ".said", "x").close()
    wait_until_there(payload + ".failed")


def arenas_mapped(process="self"):
    """Inode numbers of the memory that is filled again by others and mapped there."""
    with open(f"/proc/{process}/maps", encoding="ascii") as file:
        rows = [line.split() for line in file if "warmpool-body" in line]
    return sorted({int(row[4]) for row in rows if row[1] == "r--s"})


@task("sum", raw=True)
def summed(payload):
    return {"sum": zlib.crc32(payload), "arenas": arenas_mapped(), "pid": os.getpid()}


@task("async.sum", raw=True)
async def async_summed(payload):
    await asyncio.sleep(0)
    return {"sum": zlib.crc32(payload), "arenas": arenas_mapped(), "pid": os.getpid()}


@task("keep", raw=True)
def keep(payload):
    kept.append(payload)
    return {"sum": zlib.crc32(payload), "arenas": arenas_mapped(), "pid": os.getpid()}


@task("async.keep", raw=True)
async def async_keep(payload):
    kept.append(payload)
    return zlib.crc32(payload)


@task("kept.sums")
def kept_sums():
    """Of what was kept, which then goes."""
    sums = [zlib.crc32(each) for each in kept]
    kept.clear()
    gc.collect()
    return sums


@task("begin", raw=True)
def begin(payload):
    return payload[:10]


@task("sum.second", raw=True)
def sum_second(payload, ctx):
    """Dies in the first attempt, when the file is there that its first line names."""
    path = bytes(payload[:200]).split(b"\n")[0].decode()
    if ctx.attempt == 1:
        open(path + ".begun", "x").close()
        wait_until_there(path)
        os.kill(os.getpid(), 9)
    return {"sum": zlib.crc32(payload), "attempt": ctx.attempt}
