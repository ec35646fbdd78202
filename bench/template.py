#!/usr/bin/python3
"""What a template saves: how long a worker that imports heavy standard modules takes from its start to its hello, and the memory of
20 workers, with a template and without, by turns with the same daemon.

Usage: bench/template.py [BIN_DIR] [--rounds N]
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SDK = os.path.join(HERE, "..", "sdk", "python")
MODULES = ("asyncio", "concurrent.futures", "ctypes", "decimal", "email.mime.text", "http.client", "json", "logging.config", "multiprocessing",
           "sqlite3", "ssl", "unittest.mock", "urllib.request", "uuid", "xml.dom.minidom", "xmlrpc.client")
TASKS = "".join(f"import {name}\n" for name in MODULES) + "from warmpool import task\n\n\n@task('echo')\ndef echo(payload):\n    return payload\n"
WORKERS, PATIENCE = 20, 120


class Daemon:
    def __init__(self, bin_dir, directory, with_template):
        self.bin_dir, self.directory = bin_dir, directory
        with open(f"{directory}/heavy.py", "w", encoding="utf-8") as file:
            file.write(TASKS)
        preload = 'preload = ["heavy"]\n' if with_template else ""
        with open(f"{directory}/warmpool.toml", "w", encoding="utf-8") as file:
            file.write('restart_cooldown = "1ms"\nrestart_backoff_max = "1ms"\nrestarts_max = 100\n[[class]]\nname = "py"\ntypes = ["*"]\n'
                       f'size = {WORKERS}\nsize_min = 1\nrecovery_deaths = 0\ncommand = ["/usr/bin/python3", "-m", "warmpool", "{directory}/heavy.py"]\n'
                       f'environment = ["PYTHONPATH={os.path.realpath(SDK)}"]\n{preload}')
        with open(f"{directory}/log", "wb") as log:
            self.process = subprocess.Popen([f"{bin_dir}/warmpoold", "--config", f"{directory}/warmpool.toml", "--runtime-dir", directory],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ask(self, *arguments):
        done = subprocess.run([f"{self.bin_dir}/warmpool", "--socket", f"{self.directory}/warmpool.sock", *arguments, "--json"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def ready(self):
        """The rows of all workers, once all are ready."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            rows = (self.ask("workers") or {}).get("workers", [])
            if len(rows) == WORKERS and all(row["state"] == "ready" for row in rows):
                return rows
            time.sleep(0.02)
        raise SystemExit("the workers do not become ready; see the log in " + self.directory)

    def replacement_ms(self):
        before = self.ready()[0]["pid"]
        os.kill(before, signal.SIGKILL)
        while (row := self.ready()[0])["pid"] == before:
            time.sleep(0.01)
        return row["start_ms"]

    def pss_mib(self):
        """Of the workers, and of the template, which is what sharing costs."""
        pids = [row["pid"] for row in self.ready()]
        template = self.ask("status")["classes"][0]["template"]
        pids += [template["pid"]] if template else []
        return sum(pss_kib(pid) for pid in pids) / 1024

    def end(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(PATIENCE)


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("bin_dir", nargs="?", default=os.path.join(HERE, "..", "build", "release", "bin"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    starts, memory = {False: [], True: []}, {False: [], True: []}
    for _ in range(options.rounds):
        for with_template in (False, True):
            with tempfile.TemporaryDirectory(prefix="warmpool-bench.") as directory:
                daemon = Daemon(options.bin_dir, directory, with_template)
                try:
                    daemon.ready()
                    memory[with_template].append(daemon.pss_mib())
                    starts[with_template] += [daemon.replacement_ms() for _ in range(5)]
                finally:
                    daemon.end()
    for what, unit, seen in (("start of a replacement", "ms", starts), (f"PSS of {WORKERS} workers", "MiB", memory)):
        without, with_it = statistics.median(seen[False]), statistics.median(seen[True])
        print(f"{what}: {without:.1f} {unit} without, {with_it:.1f} {unit} with a template; ratio {with_it / without:.3f} (1 to {without / with_it:.1f})")


if __name__ == "__main__":
    main()
