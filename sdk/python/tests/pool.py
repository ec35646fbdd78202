"""A daemon with Python workers, in a directory of its own."""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Optional, TypeVar

import warmpool

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(HERE)
PATIENCE = 60  # seconds; of anything that is waited for
T = TypeVar("T")


def bin_dir() -> str:
    return os.environ.get("WARMPOOL_BIN_DIR") or os.path.join(HERE, "../../../build/release/bin")


def eventually(condition: Callable[[], T], what: str) -> T:
    """The first true value of the condition."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.005)
    return value


class Pool:
    """class_options and options are those of docs/daemon.md."""

    def __init__(self, class_options: Optional[dict[str, Any]] = None, ready: bool = True, module: str = "handlers.py",
                 **options: Any) -> None:
        self.directory = tempfile.mkdtemp(prefix="warmpool-sdk.")
        self.socket = os.path.join(self.directory, "warmpool.sock")
        self._options, self._log = options, os.path.join(self.directory, "log")
        self._class = {"name": "py", "types": ["*"], "size": 1, "size_min": 0,
                       "command": [sys.executable, "-B", "-m", "warmpool", os.path.join(HERE, module)],
                       "environment": [f"PYTHONPATH={PACKAGE}"],
                       "channel": os.environ.get("WARMPOOL_TEST_CHANNEL", "socket"), **(class_options or {})}
        self.process: Optional[subprocess.Popen[bytes]] = None
        try:
            self.start()
            if ready:
                self.await_ready()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        config = os.path.join(self.directory, "warmpool.toml")
        lines = [f"{name} = {json.dumps(value)}" for name, value in self._options.items()]
        lines += ["[[class]]"] + [f"{name} = {json.dumps(value)}" for name, value in self._class.items()]
        with open(config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        before = len(self.log())
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(bin_dir(), "warmpoold"), "--config", config, "--runtime-dir", self.directory, "--log-level", "debug"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: "listening on" in self.log()[before:] or self.process.poll() is not None, "the daemon listens")

    def await_ready(self) -> None:
        with self.client() as client:
            eventually(lambda: client.status()["workers"]["ready"] == self._class["size"], "the workers are ready")

    def client(self, **options: Any) -> warmpool.Client:
        return warmpool.Client(self.socket, **options)

    def log(self) -> str:
        try:
            with open(self._log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def end(self, how: int = signal.SIGQUIT) -> int:
        """Ends the daemon; the directory stays."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process is not None:
            self.end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            sys.stderr.write(self.log()[-8000:])
        self.close()
