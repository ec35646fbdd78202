#!/usr/bin/python3
"""Large payloads and results: by descriptor, through the socket, and a reference without a daemon.

bench/large.py [--rounds 5] [--sizes 16,100,1024] [--cases NAME,...] [--limits DIR]: for each size in MiB the median, least and most of so many
rounds, which take turns, and by how much the daemon's memory was more than before at its most:

  sum        a payload there by descriptor, the sum of one word of each page back, which is compared; in memory that is filled again
  sum-fresh  the same in fresh sealed memory each time
  length     a payload there by descriptor, its length back: client fills a memfd, the daemon forwards it, a worker maps it
  whole      the same, and all of it back by descriptor (the handler returns what it was given)
  inline     the payload through the socket and its length back; above 16 MiB as tasks of 15 MiB, one after the other
  inline-all the same, and all of it back
  reference  fill a memfd, seal it, pass it through a process that forwards it, map it, read one byte of each page, answer

--limits: the folder of l4_large, a program that does what sum does, without a daemon, in C++, in each way there is; it runs before and after the
rounds of a size, and its rows are shown beside them.
"""
import argparse
import array
import json
import mmap
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.join(HERE, "..", "sdk", "python")
sys.path.insert(0, PACKAGE)
MIB = 1 << 20
PIECE = 15 * MIB

HANDLERS = '''
from warmpool import task

@task("length", raw=True)
def length(payload):
    view = memoryview(payload)
    return str(len(view) + view[::4096].tobytes().count(0) * 0)  # looks at each page

@task("sum", raw=True)
def summed(payload):
    view = memoryview(payload)
    return str(sum(view[:len(view) // 8 * 8].cast("Q")[::512]) % 2**64)

@task("whole", raw=True)
def whole(payload):
    return payload
'''

CONFIG = '''
store = "volatile"
payload_bytes_max = "16MiB"
result_bytes_max = "16MiB"
results_bytes_max = "8GiB"
payload_bytes_total_max = "8GiB"
large_bytes_max = "2047MiB"
large_bytes_total_max = "8GiB"
output_bytes_max = "64MiB"
[[class]]
name = "large"
types = ["*"]
size = 1
command = ["{python}", "-B", "-m", "warmpool", "{module}"]
environment = ["PYTHONPATH={package}"]
'''


class Daemon:
    def __init__(self, programs):
        self.directory = tempfile.TemporaryDirectory(prefix="warmpool-bench.")
        at = self.directory.name
        module, config = os.path.join(at, "bench_large.py"), os.path.join(at, "warmpool.toml")
        with open(module, "w", encoding="utf-8") as file:
            file.write(HANDLERS)
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(python=sys.executable, module=module, package=os.path.abspath(PACKAGE)))
        self.process = subprocess.Popen([os.path.join(programs, "warmpoold"), "--config", config, "--runtime-dir", at],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.socket = os.path.join(at, "warmpool.sock")

    def client(self, **options):
        import warmpool
        end = time.monotonic() + 30
        while True:
            try:
                return warmpool.Client(self.socket, **options)
            except warmpool.NoDaemon:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def memory(self, name):
        """KiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.directory.cleanup()


class Reference:
    """Two processes beside this one: one forwards, one maps."""

    def __init__(self):
        self.near, first = socket.socketpair()
        second, last = socket.socketpair()
        for run, ends in ((self.forward, (first, second)), (self.serve, (last,))):
            if os.fork() == 0:
                try:
                    for end in {self.near, first, second, last} - set(ends):
                        end.close()
                    run(*ends)
                finally:
                    os._exit(0)
        for end in (first, second, last):
            end.close()

    @staticmethod
    def received(end):
        data, ancillary, _, _ = end.recvmsg(64, 64)
        numbers = array.array("i")
        for _, _, content in ancillary:
            numbers.frombytes(content)
        return data, list(numbers)

    def forward(self, client, worker):
        while True:
            data, numbers = self.received(client)
            if not data:
                return
            worker.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers))])
            for number in numbers:
                os.close(number)
            client.sendall(worker.recv(64))

    def serve(self, broker):
        while True:
            data, numbers = self.received(broker)
            if not data:
                return
            mapped = memoryview(mmap.mmap(numbers[0], int(data), mmap.MAP_PRIVATE, mmap.PROT_READ))
            os.close(numbers[0])
            broker.sendall(str(len(mapped) + mapped[::4096].tobytes().count(0) * 0).encode())

    def run(self, payload):
        from warmpool.large import sealed
        made = sealed(payload)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [made.number]))]
        self.near.sendmsg([str(len(payload)).encode()], rights)
        assert int(self.near.recv(64)) == len(payload)

    def close(self):
        self.near.close()
        os.wait()
        os.wait()


def inline(client, type_name, payload):
    view = memoryview(payload)
    return sum(int(client.run(type_name, view[at:at + PIECE])) if type_name == "length"
               else len(client.run(type_name, view[at:at + PIECE])) for at in range(0, len(view), PIECE))


def descriptor(client, type_name, payload):
    said = client.run(type_name, payload)
    return int(said) if type_name == "length" else len(said)


def sum_of(payload):
    return sum(memoryview(payload)[:len(payload) // 8 * 8].cast("Q")[::512]) % 2**64


def check_sum(client, payload, expected):
    assert int(client.run("sum", payload)) == expected


def limits(folder, mib):
    """Median ms of each way: {name: ms}."""
    ran = subprocess.run([os.path.join(folder, "l4_large"), str(mib << 20)], capture_output=True, text=True, check=True)
    rows = [line.split() for line in ran.stdout.splitlines() if line.split()[:2] == [str(mib), "MiB"]]
    return {row[2]: float(row[4].split("/")[1]) for row in rows}


def seconds(call):
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="16,100,1024", help="MiB")
    parser.add_argument("--cases", default="sum,sum-fresh,length,whole,inline,inline-all,reference")
    parser.add_argument("--limits", metavar="DIR", help="the folder of l4_large")
    parser.add_argument("--programs", default=os.environ.get("WARMPOOL_BIN_DIR") or os.path.join(HERE, "../build/release/bin"))
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    reference = Reference()
    daemon = Daemon(said.programs)
    rows = []
    try:
        client, fresh = daemon.client(), daemon.client(arena_bytes_max=0)
        for size in map(int, said.sizes.split(",")):
            # One byte more than a frame may have, so that the smallest goes as a descriptor too.
            payload = os.urandom(MIB) * size + b"x"
            expected = sum_of(payload)
            before = limits(said.limits, size) if said.limits else {}
            cases = {"sum": lambda: check_sum(client, payload, expected),
                     "sum-fresh": lambda: check_sum(fresh, payload, expected),
                     "length": lambda: descriptor(client, "length", payload),
                     "whole": lambda: descriptor(client, "whole", payload),
                     "inline": lambda: inline(client, "length", payload),
                     "inline-all": lambda: inline(client, "whole", payload),
                     "reference": lambda: reference.run(payload)}
            cases = {name: cases[name] for name in said.cases.split(",")}
            times = {name: [] for name in cases}
            grown = dict.fromkeys(cases, 0)
            for round_ in range(said.rounds + 1):  # the first warms up
                for name, call in cases.items():
                    daemon.forget_peak()
                    resident = daemon.memory("VmRSS")
                    took = seconds(call)
                    if round_:
                        times[name].append(took)
                    grown[name] = max(grown[name], daemon.memory("VmHWM") - resident)
            made = [{"mib": size, "case": name, "median_ms": statistics.median(each) * 1e3, "least_ms": min(each) * 1e3,
                      "most_ms": max(each) * 1e3, "daemon_growth_kib": grown[name]} for name, each in times.items()]
            after = limits(said.limits, size) if said.limits else {}
            made += [{"mib": size, "case": f"l4_large {name}", "median_ms": (ms + after[name]) / 2, "least_ms": min(ms, after[name]),
                      "most_ms": max(ms, after[name])} for name, ms in before.items()]
            rows += made
            if not said.json:
                show(made)
        client.close()
        fresh.close()
    finally:
        daemon.close()
        reference.close()
    if said.json:
        print(json.dumps(rows))


def show(rows):
    for row in rows:
        grown = f"  daemon +{row['daemon_growth_kib']} KiB" if "daemon_growth_kib" in row else ""
        print(f"{row['mib']:5} MiB  {row['case']:42}  {row['median_ms']:9.1f} ms  ({row['least_ms']:.1f} to {row['most_ms']:.1f}){grown}", flush=True)


if __name__ == "__main__":
    main()
