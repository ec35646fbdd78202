"""A process for each task: no pool at all."""
import os
import subprocess
import time

from .common import Peer


class Spawn(Peer):
    """posix_spawn of /bin/echo by a program in Python, `workers` at once."""
    name, tier = "a process a task", "process"
    note = "posix_spawn of /bin/echo, its output read from a pipe"
    payload_bytes_max = 1024
    outstanding_max = 64

    def open(self, place, workers, durable):
        self.start_host(["/usr/bin/python3", os.path.join(place.here, "hosts", "spawn_host.py"), str(workers)],
                        env=place.environment())


class Batch(Peer):
    """A program that starts a process for each line of its input."""
    tier = "process"
    payload_bytes_max = 1024
    outstanding_max = 64
    tasks_a_second = 1000  # guessed at first, then what it was

    def open(self, place, workers, durable):
        self.workers = workers

    def command(self, at_once):
        raise NotImplementedError

    def echo(self, payload_bytes, outstanding, seconds):
        """As many lines as that time should take; `outstanding` above the workers changes nothing, below it is them."""
        tasks = max(4, int(self.tasks_a_second * seconds))
        lines = [f"{number:016x}".ljust(payload_bytes, "x") for number in range(tasks)]
        at_once = min(self.workers, outstanding)
        began = time.monotonic()
        process = subprocess.Popen(self.command(at_once), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, cwd=self.folder,
                                   env={**os.environ, "HOME": self.folder})
        self.processes = [process]
        said = process.communicate("\n".join(lines).encode() + b"\n", timeout=60)[0].decode().split()
        took = time.monotonic() - began
        self.processes = []
        if sorted(said) != lines:
            raise RuntimeError(f"{len(said)} answers to {tasks} tasks, or wrong ones")
        self.tasks_a_second = tasks / took
        return {"tasks": tasks, "seconds": took, "p50_us": None, "p99_us": None}


class Xargs(Batch):
    name, note = "xargs -P", "a process for each line; the workers are its -P"

    def command(self, at_once):
        return ["xargs", "-P", str(at_once), "-n", "1", "/bin/echo"]


class Parallel(Batch):
    name, packages, programs, note, tasks_a_second = "parallel", ("parallel",), ("parallel",), "GNU parallel, a process for each line; the workers are its -j", 150

    def command(self, at_once):
        return ["parallel", "--no-notice", "-j", str(at_once), "/bin/echo"]


PEERS = [Spawn, Xargs, Parallel]
