"""The handlers of docs/sdk.md (conformance), as a program of lines for warmpool-worker --wrap lines."""
import json
import os
import signal
import subprocess
import sys


class Told(Exception):
    """SIGTERM: this task shall end."""


def told(*_):
    raise Told


def say(**members):
    print(json.dumps({**{name: TASK.get(name) for name in ("task", "round", "attempt")}, **members}), flush=True)


def waits(payload):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # so that none comes just before it is waited for
    say(progress=0.001, text="begun")
    signal.sigwait({signal.SIGTERM})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    raise Told


def opens(payload):
    say(progress=0.001, text="begun")
    with open(payload, encoding="utf-8") as gate:
        say(result=gate.readline().rstrip())


def reports_and_opens(payload):
    say(progress=0.001, text="begun")
    say(progress=0.002, text="at the gate")
    with open(payload, encoding="utf-8") as gate:
        say(result=gate.readline().rstrip())


def passes_on(payload):
    say(progress=0.001, text="begun", partial=payload)
    say(result=payload)


def steps(payload):
    for step in range(1, int(payload) + 1):
        say(progress=step / int(payload), text=f"step {step}")
    say(result=payload)


def prints(payload):
    print("stray words")
    print('{"no": "answer"}', flush=True)
    sys.stderr.write("\0\0\0\0 no frame\n")
    os.write(1, b"\xff\xfe no text\n")
    subprocess.run(["sh", "-c", "echo of a child"], check=True)
    say(result="printed")


def checkpoints(payload):
    before = TASK.get("checkpoint", "none")
    say(checkpoint=payload)
    say(result=before)


def leaves_large(payload):
    """What is too large is refused on standard error, and the task goes on."""
    say(checkpoint="x" * int(payload))
    say(result="left" if int(payload) <= 262144 else "refused")


def asked(payload):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    say(progress=0.001, text="begun")
    signal.sigwait({signal.SIGUSR1})
    say(checkpoint="asked")
    say(result="left")


TASK = {}
HANDLERS = {
    "checkpoint": checkpoints,
    "checkpoint.large": leaves_large,
    "checkpoint.asked": asked,
    "echo": lambda payload: say(result=payload),
    "size": lambda payload: say(result=str(len(payload.encode()))),
    "large": lambda payload: say(result="x" * int(payload)),
    "fail": lambda payload: say(error=payload),
    "fail.long": lambda payload: say(error="x" * int(payload)),
    "fatal": lambda payload: say(error=payload, final=True),
    "later": lambda payload: say(error=payload, retry_after=1.5),
    "held": lambda payload: say(held=payload),
    "gate": opens,
    "partial": passes_on,
    "gate.reported": reports_and_opens,
    "heed": waits,
    "steps": steps,
    "print": prints,
    "surroundings": lambda payload: say(result=subprocess.run(["sh", "-c", "env; ls -l /proc/self/fd"], stdout=subprocess.PIPE, text=True,
                                                              check=True).stdout),
}


def payload_of(task):
    """A large one is in a file."""
    if "payload_file" not in task:
        return task["payload"]
    with open(task["payload_file"], encoding="utf-8") as file:
        return file.read()


def serve(line):
    task = json.loads(line)
    TASK.clear()
    TASK.update(task)
    if task["type"] == "context":
        return say(result=json.dumps({"task": str(task["task"]), "round": task["round"], "attempt": task["attempt"], "type": task["type"],
                                      "timeout_ms": round((task["timeout"] or 0) * 1000), "directory": task.get("directory", "")}))
    HANDLERS[task["type"]](payload_of(task))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, told)
    while given := sys.stdin.readline():
        try:
            serve(given)
        except Told:
            say(error="told to end")
