"""The handlers of docs/sdk.md (conformance), in Python."""
import os
import subprocess
import sys

from warmpool import Failed, FailedForGood, Held, Packed, RetryAfter, task


@task("echo")
def echo(payload):
    return payload


@task("echo.msgpack")
def echo_msgpack(payload):
    return Packed(payload)


@task("size", raw=True)
def size(payload):
    return str(len(payload))


@task("large")
def large(payload):
    return "x" * int(payload)


@task("fail")
def fail(payload):
    raise Failed(payload)


@task("fail.long")
def fail_long(payload):
    raise Failed("x" * int(payload))


@task("fatal")
def fatal(payload):
    raise FailedForGood(payload)


@task("later")
def later(payload):
    raise RetryAfter(1.5, payload)


@task("held")
def held(payload):
    raise Held(payload)


@task("throw")
def throw(payload):
    raise LookupError(payload)


@task("gate")
def gate(payload, ctx):
    ctx.progress(0.001, "begun")
    with open(payload, encoding="utf-8") as opened:
        return opened.readline().rstrip()


@task("gate.reported")
def gate_reported(payload, ctx):
    ctx.progress(0.001, "begun")
    ctx.progress(0.002, "at the gate")
    with open(payload, encoding="utf-8") as opened:
        return opened.readline().rstrip()


@task("partial")
def partial(payload, ctx):
    ctx.progress(0.001, "begun", partial=payload)
    return payload


@task("heed")
def heed(ctx):
    ctx.progress(0.001, "begun")
    ctx.wait(60)
    raise Failed(f"told to end: {ctx.cancel_cause}")


@task("steps")
def steps(payload, ctx):
    for step in range(1, int(payload) + 1):
        ctx.progress(step / int(payload), f"step {step}")
    return payload


@task("report")
def report(payload, ctx):
    ctx.gauge("queue", 17)
    ctx.gauge("queue", None)
    ctx.degraded("the small one")
    ctx.well()
    return payload


@task("checkpoint")
def checkpoint(payload, ctx):
    before = ctx.restored or "none"
    ctx.checkpoint(payload)
    return before


@task("checkpoint.large")
def checkpoint_large(payload, ctx):
    try:
        ctx.checkpoint("x" * int(payload))
    except ValueError:
        return "refused"
    return "left"


@task("checkpoint.asked")
def checkpoint_asked(ctx):
    ctx.progress(0.001, "begun")
    while not ctx.checkpoint_wanted:
        ctx.wait(0.001)
    ctx.checkpoint("asked")
    return "wanted" if ctx.checkpoint_wanted else "left"


@task("context")
def context(ctx):
    return {"task": str(ctx.task), "round": ctx.round, "attempt": ctx.attempt, "type": ctx.type,
            "timeout_ms": round((ctx.timeout or 0) * 1000), "token": str(ctx.token), "failures": ctx.failures, "crashes": ctx.crashes,
            "directory": ctx.directory or ""}


@task("print")
def prints():
    print("stray words", end="")
    sys.stderr.write("\0\0\0\0 no frame\n")
    os.write(1, bytes(64))
    subprocess.run(["sh", "-c", "echo of a child"], check=True)
    return "printed"


@task("surroundings")
def surroundings():
    return subprocess.run(["sh", "-c", "env; ls -l /proc/self/fd"], stdout=subprocess.PIPE, text=True, check=True).stdout
