"""Tasks of a worker that a template forks. WAYWARD: what a module does that keeps one from it."""
import os
import random
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import uuid

from warmpool import Client, on_fork, task

LOADED_BY = os.getpid()
WAYWARD = os.environ.get("WAYWARD", "")
if WAYWARD == "thread":
    threading.Thread(target=time.sleep, args=(1e6,), name="a thread", daemon=True).start()
elif WAYWARD == "descriptor":
    KEPT = open(__file__, encoding="utf-8")
elif WAYWARD == "raise":
    if "WARMPOOL_TEMPLATE" in os.environ:
        raise RuntimeError("not in a template")
elif WAYWARD == "hook-hangs":
    os.register_at_fork(after_in_child=lambda: time.sleep(1e6))
elif WAYWARD == "hook-thread":
    os.register_at_fork(after_in_child=lambda: threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start())
elif WAYWARD == "hook-opens":
    os.register_at_fork(after_in_child=lambda: os.open(__file__, os.O_RDONLY))
elif WAYWARD == "source":
    with open(os.environ["SOURCE"], encoding="utf-8") as file:
        SOURCE = file.read()

SEEN = []
OWN = []  # what each worker has for itself


@on_fork
def begin():
    OWN.append((open(__file__, encoding="utf-8"), threading.Thread(target=time.sleep, args=(1e6,), name="own", daemon=True)))
    OWN[-1][1].start()


@on_fork
def look_at_the_daemon():
    """What the daemon knows of this worker while its hooks run."""
    if WAYWARD == "looks":
        with open(f"/proc/{os.getppid()}/cmdline", encoding="utf-8") as file:
            words = file.read().split("\0")
        with Client(os.path.join(words[words.index("--runtime-dir") + 1], "warmpool.sock")) as client:
            SEEN.extend(row["state"] for row in client.workers() if row["pid"] == os.getpid())


@task("seen")
def seen():
    return SEEN


@task("own")
def own():
    (file, thread), = OWN
    return [file.readline(), thread.is_alive()]


@task("place")
def place(ctx):
    assert os.environ["WARMPOOL_DIRECTORY"] == ctx.workdir
    return ctx.workdir


@task("workdir")
def workdir(ctx):
    assert ctx.directory == ctx.workdir and os.listdir(ctx.workdir) == []
    with open(os.path.join(ctx.workdir, "file"), "w", encoding="utf-8") as file:
        file.write("text")
    return ctx.workdir


@task("itself")
def itself():
    with open("/proc/self/environ", "rb") as file:
        block = file.read()
    mark = [entry for entry in block.split(b"\0") if entry.startswith(b"WARMPOOL_MARK=")][0].decode()
    listed = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    return {"pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0), "group": os.getpgid(0), "loaded_by": LOADED_BY,
            "mark": mark, "environment": dict(os.environ), "secret": b"WARMPOOL_TOKEN" in block, "descriptors": listed,
            "terminates": signal.getsignal(signal.SIGTERM) is not None}


@task("draw")
def draw():
    return [random.random(), ssl.RAND_bytes(8).hex(), str(uuid.uuid4()), tempfile.mktemp()]


@task("late")
def late():
    """A module that is imported in a task."""
    called = []
    on_fork(lambda: called.append(os.getpid()))
    return called == [os.getpid()]


@task("source")
def source():
    return SOURCE


@task("say")
def say(text):
    print(text)


@task("leave")
def leave():
    """A descendant that wants to outlive its worker."""
    return subprocess.Popen(["setsid", "sleep", "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid
