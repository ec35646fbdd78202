"""A daemon for one executor: in a directory of its own, with nothing on disk that outlives it, ended with this process. When a
signal ends this process nothing here runs any more: the daemon removes that directory by itself then (--private), and no handler
of a signal is needed or touched."""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, Optional

from . import calls
from .client import Client
from .errors import NoDaemon

START_SECONDS, STOP_SECONDS = 30, 60


def find_daemon() -> str:
    """warmpoold: of WARMPOOL_BIN_DIR, of PATH, or of the checkout that this file lies in."""
    here = os.path.dirname(os.path.abspath(__file__))
    named = os.environ.get("WARMPOOL_BIN_DIR")
    places = [named and os.path.join(named, "warmpoold"), shutil.which("warmpoold"),
              os.path.join(here, "../../../build/release/bin/warmpoold")]
    for place in places:
        if place and os.access(place, os.X_OK):
            return os.path.abspath(place)
    raise NoDaemon("warmpoold was not found in WARMPOOL_BIN_DIR, PATH or build/release/bin of the checkout; install it, set one of "
                   "these, or give the executor the socket of a daemon that runs")


def configuration(workers: int, tasks_max: Optional[int], start: Optional[str]) -> str:
    """A worker starts as a child of this process would: same interpreter, path, environment, directory and umask. start: the file of
    what it does before it is ready, for which it may take an hour."""
    options: dict[str, Any] = {"store": "volatile", "submit_fifo": False, "board": False, "timeout": "3660d",
                               "payload_bytes_max": "16MiB", "result_bytes_max": "16MiB", "results_bytes_max": "4GiB"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WARMPOOL_")}
    environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in [*sys.path, package_path()])
    pool: dict[str, Any] = {
        "name": "calls", "types": [calls.TYPE], "size": workers, "command": [sys.executable, "-P", "-m", "warmpool", "--calls"] + (["--start", start] if start else []),
        "working_directory": os.getcwd(), "umask": umask(),
        "environment": [f"{name}={value}" for name, value in environment.items() if is_text(value)]}
    if tasks_max is not None:
        pool["max_tasks"] = tasks_max
    if start is not None:
        options["start_timeout"] = "1h"
    return "\n".join([*map(setting, options.items()), "[[class]]", *map(setting, pool.items()), ""])


def own_environment() -> dict[str, str]:
    """Of the daemon itself: other variables (POOL_SIZE, WARMPOOL_...) would set its options."""
    kept = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL")
    return {name: value for name, value in os.environ.items() if name in kept or name.startswith("LC_")}


def package_path() -> str:
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def setting(item: tuple[str, Any]) -> str:
    """JSON is TOML here, but for DEL; and ${ begins a name."""
    return f"{item[0]} = {json.dumps(item[1], ensure_ascii=False)}".replace("\x7f", "\\u007f").replace("${", "$${")


def is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8
        return False
    return True


def umask() -> str:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        found = re.search(r"^Umask:\s*([0-7]+)", status.read(), re.MULTILINE)
    return found.group(1)[-3:] if found else "077"


class PrivateDaemon:
    """Raises NoDaemon where it cannot be started. Threads: one that started it, and lives as long as it does, because the
    kernel's word of a parent's death is of the thread that made the child."""

    def __init__(self, workers: int, tasks_max: Optional[int] = None, start: Optional[bytes] = None) -> None:
        """start: what calls.initial made."""
        program = find_daemon()
        self.directory = tempfile.mkdtemp(prefix="warmpool-executor.")
        self.socket = os.path.join(self.directory, "warmpool.sock")
        self._log = os.path.join(self.directory, "log")
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._fault: Optional[Exception] = None
        self._aborted = False
        self._started = threading.Event()
        if start is not None:
            self._write("warmpool.start", start)
        self._write("warmpool.toml", configuration(workers, tasks_max, start and self._path("warmpool.start")).encode())
        self._keeper = threading.Thread(target=self._keep, args=(program,), name="warmpool-daemon", daemon=True)
        self._keeper.start()
        try:
            self._await_socket()
        except BaseException:
            self.stop()
            raise

    def connect(self) -> Client:
        return Client(self.socket, name="executor", reconnect=0)

    def last_words(self) -> str:
        """The end of its log."""
        try:
            with open(self._log, encoding="utf-8", errors="replace") as file:
                return file.read()[-2000:].strip()
        except OSError:
            return ""

    def abort(self) -> None:
        """It stops at once, with what runs, and takes its directory along. Does not wait for that."""
        self._aborted = True
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)

    def stop(self) -> None:
        """Blocks until it and its workers are gone; what runs may end within drain_timeout. Calling it again does nothing."""
        self._started.wait()
        process = self._process
        if process is not None:
            for how in (signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL)[self._aborted:]:
                process.send_signal(how)
                self._keeper.join(STOP_SECONDS)
                if not self._keeper.is_alive():
                    break
        shutil.rmtree(self.directory, ignore_errors=True)

    def _write(self, name: str, content: bytes) -> None:
        with open(os.open(self._path(name), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)

    def _path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def _keep(self, program: str) -> None:
        """Nothing of this process runs in the child before the daemon does: other threads of it hold locks."""
        try:
            with open(self._log, "ab") as log:
                self._process = subprocess.Popen(
                    [program, "--config", self._path("warmpool.toml"), "--runtime-dir", self.directory, "--private",
                     "--owner", str(os.getpid())],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=own_environment(), start_new_session=True)
        except OSError as error:
            self._fault = error
        self._started.set()
        if self._process is not None:
            self._process.wait()

    def _await_socket(self) -> None:
        self._started.wait()
        end = time.monotonic() + START_SECONDS
        while self._fault is None and self._keeper.is_alive() and time.monotonic() < end:
            if "listening on" in self.last_words():
                return
            time.sleep(0.002)
        raise NoDaemon(f"the daemon of the executor did not start: {self._fault or self.last_words()}")
