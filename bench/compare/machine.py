"""Processes of this run: where they lie, what they use, and that none of them stays."""
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Place:
    """A directory for all that runs. Whatever loses its parent becomes a child of this process, so that `end` finds it."""

    def __init__(self, bin_dir, load):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.directory = tempfile.mkdtemp(prefix="warmpool-compare.")
        self.here = os.path.dirname(os.path.abspath(__file__))
        self.root = os.path.dirname(os.path.dirname(self.here))
        self.bin, self.load, self.count = bin_dir, load, 0

    def folder(self, name):
        """Of short names: sockets lie in them."""
        self.count += 1
        path = os.path.join(self.directory, f"{self.count}-{re.sub('[^a-z0-9]', '', name.lower())[:12]}")
        os.mkdir(path, 0o700)
        return path

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WARMPOOL_", "PYTHON"))}
        return {**kept, "TMPDIR": self.directory, **more}

    def end(self):
        end(descendants(os.getpid()))
        shutil.rmtree(self.directory, ignore_errors=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(ready, process, log, seconds=30):
    """Until `ready()` is true. Says what the process wrote when it is not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            if ready():
                return
        time.sleep(0.02)
    with open(log, encoding="utf-8", errors="replace") as file:
        raise RuntimeError(f"{process.args[0]} did not start: {file.read()[-500:].strip()}")


def listens(address):
    """Whether somebody listens at a path or a port of the loopback."""
    is_path = "/" in str(address)
    with socket.socket(socket.AF_UNIX if is_path else socket.AF_INET) as probe:
        probe.connect(address if is_path else ("127.0.0.1", int(address)))
    return True


def stat_fields(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()


def parents():
    """Of each process: its parent."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                found[int(name)] = int(stat_fields(name)[1])
    return found


def descendants(*roots):
    """Pids below these, and not these themselves."""
    children = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found, open_ones = [], list(roots)
    while open_ones:
        below = children.get(open_ones.pop(), [])
        found += below
        open_ones += below
    return found


def usage(pids):
    """Seconds of CPU, those of ended children too, and resident bytes, in which shared pages count for each."""
    ticks = rss = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            fields = stat_fields(pid)
            ticks += sum(int(field) for field in fields[11:15])
            rss += int(fields[21]) * PAGE
    return {"cpu_seconds": ticks / TICK, "rss_bytes": rss}


def pss(pids):
    """Resident bytes, with shared pages divided among those who share them."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total * 1024


def pin(pids, cpus):
    for pid in pids:
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(int(thread), cpus)


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def reap():
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end(pids, seconds=3):
    """Asks these processes to end, then makes them. They were all started below this one, and are this one's to reap."""
    signal_all(pids, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        reap()
        left = set(pids) & set(descendants(os.getpid()))
        if not left:
            return
        time.sleep(0.02)
    for _ in range(50):  # what is killed may leave children that come to light only then
        left = set(pids) & set(descendants(os.getpid()))
        if not left:
            return
        signal_all(left | set(descendants(*left)), signal.SIGKILL)
        time.sleep(0.02)
        reap()


def spawn(command, log, **options):
    with open(log, "ab") as file:
        return subprocess.Popen(command, **{"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file,
                                            "start_new_session": True, **options})
