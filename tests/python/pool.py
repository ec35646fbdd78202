"""A real daemon with Python workers, in a directory of its own; and what its tests ask of it."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import client
import frame as wire

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("WARMPOOL_BIN_DIR", "")
CHANNEL = os.environ.get("WARMPOOL_TEST_CHANNEL", "socket")  # or "fifo"
DEADLINE = 60  # seconds; of anything that is waited for

CLASS = """
{options}

[[class]]
name = "py"
command = ["{python}", "-B", "{here}/worker.py", {arguments}]
channel = "{channel}"
types = ["py.*"]
size = {size}
size_min = 0
size_max = 8
credits = {credits}
"""


def eventually(condition, what):
    """The first true value of the condition."""
    end = time.monotonic() + DEADLINE
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {DEADLINE} s: {what}")
        time.sleep(0.005)
    return value


class Pool:
    def __init__(self, size=2, credits=1, features=23, worker_credits=None, **options):
        self.directory = tempfile.mkdtemp(prefix="warmpool-py.")
        self.clients = []
        config = os.path.join(self.directory, "warmpool.toml")
        arguments = f'"{features}", "{credits if worker_credits is None else worker_credits}"'
        with open(config, "w", encoding="utf-8") as file:
            file.write(CLASS.format(python=sys.executable, here=HERE, size=size, credits=credits, arguments=arguments,
                                    channel=CHANNEL,
                                    options="\n".join(f'{name} = "{value}"' for name, value in options.items())))
        self.log_path = os.path.join(self.directory, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [f"{BIN}/warmpoold", "--config", config, "--runtime-dir", self.directory, "--log-level", "debug"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            eventually(lambda: "listening on" in self.log() or self.process.poll() is not None, "the daemon listens")
            self.client = self.connect()
            eventually(lambda: self.status()["workers"]["ready"] == size, "all workers are ready")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            sys.stderr.write(self.log()[-8000:])
        self.close()

    def connect(self):
        self.clients.append(client.Client(os.path.join(self.directory, "warmpool.sock")))
        return self.clients[-1]

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def status(self):
        return self.client.request("status")

    def workers(self):
        return self.client.request("workers")["workers"]

    def exits(self):
        """How each worker that has ended did so: (as the daemon judges, exit code)."""
        return re.findall(r"worker-exited .* cause=(\S+) code=(\d+)", self.log())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(DEADLINE)
        for each in self.clients:
            each.close()
        shutil.rmtree(self.directory, ignore_errors=True)
