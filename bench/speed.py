#!/usr/bin/python3
"""No-op tasks through the whole path, beside minimal brokers, interleaved, so that slow phases hit all alike.

    bench/speed.py [--bin DIR] [--brokers DIR] [--rounds N] [--seconds S]

--brokers names a folder with the programs l3_epoll and l3_asio (client -> broker -> worker -> broker -> client, nothing
else done); without it only warmpool is measured. Prints medians over the rounds and ratios to the broker `epoll_p1`.
Cases: 2 workers, 64 bytes: 64 outstanding with one task in flight per worker (K = 1) and with sixteen (K = 16); one outstanding,
everything pinned to one core; memory of a waiting task.
"""
import argparse, json, os, re, shutil, signal, socket, statistics, struct, subprocess, sys, tempfile, time

CONFIG = """
[[class]]
name = "worker"
command = ["{bin}/warmpool-worker", "--credits", "{credits}"]
types = ["echo"]
size = 2
size_min = 1
size_max = 4
credits = {credits}
"""


class Daemon:
    def __init__(self, bin_dir, credits, cpu=None, paused=False):
        self.bin, self.dir = bin_dir, tempfile.mkdtemp(prefix="warmpool-speed.")
        os.chmod(self.dir, 0o700)
        config = os.path.join(self.dir, "warmpool.toml")
        with open(config, "w") as file:
            file.write(CONFIG.format(bin=bin_dir, credits=credits))
        self.prefix = ["taskset", "-c", str(cpu)] if cpu is not None else []
        self.process = subprocess.Popen(
            self.prefix + [f"{bin_dir}/warmpoold", "--config", config, "--runtime-dir", self.dir, "--log-level", "warn"])
        deadline = time.monotonic() + 20
        while self.call("ping", check=False).returncode != 0:
            if time.monotonic() > deadline or self.process.poll() is not None:
                sys.exit("warmpoold did not start")
            time.sleep(0.05)

    def call(self, *arguments, check=True):
        return subprocess.run(self.prefix + [f"{self.bin}/warmpool", "--socket", f"{self.dir}/warmpool.sock", *arguments],
                              capture_output=True, text=True, check=check)

    def json(self, *arguments):
        return json.loads(self.call(*arguments, "--json").stdout)

    def rss(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) * 1024

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)


def broker(directory, seconds, *options, cpu=None):
    prefix = ["taskset", "-c", str(cpu)] if cpu is not None else []
    out = subprocess.run(prefix + [f"{directory}/l3_epoll", *options, "workers=2", "runs=1", f"secs={seconds}"],
                         capture_output=True, text=True).stdout
    found = re.search(r"rate (\d+)/.*?p50 ([\d.]+)", out)
    return float(found[1]), float(found[2])


HEADER = struct.Struct("<IHBBQQHHHBB")  # docs/protocol.md, section 2


def submit_only(path, tasks):
    """Submits `tasks` tasks of 64 bytes, pipelined, and waits until each is accepted."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.connect(path)
    hello = bytes([0x96, 0, 1, 1, 0, 0xA1]) + b"b" + bytes([0])  # role, versions, features, name, pid
    name = b"\x91\xa4echo"
    link.sendall(HEADER.pack(len(hello), len(hello), 1, 0, 0, 0, 0, 0, 0, 0, 0) + hello)
    link.sendall(HEADER.pack(len(name), len(name), 6, 0, 0, 0, 0, 0, 0, 0, 0) + name)
    accepted = 0
    for first in range(0, tasks, 20_000):
        count = min(20_000, tasks - first)
        link.sendall(b"".join(HEADER.pack(64, 0, 16, 0, 0, first + i, 0, 0, 0, 0, 0) + b"x" * 64 for i in range(count)))
        while accepted < first + count:
            header = link.recv(32, socket.MSG_WAITALL)
            body, _, kind = HEADER.unpack(header)[:3]
            if body:
                link.recv(body, socket.MSG_WAITALL)
            if kind in (3, 33):
                sys.exit(f"submit was answered by kind {kind}")
            accepted += kind == 32


def median(values):
    return statistics.median(values) if values else float("nan")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(here, "..", "build", "release", "bin"))
    parser.add_argument("--brokers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    args = parser.parse_args()
    bin_dir = os.path.abspath(args.bin)
    one, sixteen = Daemon(bin_dir, 1), Daemon(bin_dir, 16)
    pinned = Daemon(bin_dir, 1, cpu=0)
    rates = {"epoll_p1": [], "epoll_p16": [], "warmpool K=1": [], "warmpool K=16": []}
    latency = {"epoll_p1": [], "warmpool": []}
    try:
        for _ in range(args.rounds):
            if args.brokers:
                rates["epoll_p1"].append(broker(args.brokers, args.seconds, "name=p1", "window=64")[0])
            rates["warmpool K=1"].append(one.json("bench", "throughput", "--tasks", "20000", "--in-flight", "64", "--payload-bytes", "64")["tasks_per_second"])
            rates["warmpool K=16"].append(sixteen.json("bench", "throughput", "--tasks", "60000", "--in-flight", "64", "--payload-bytes", "64")["tasks_per_second"])
            if args.brokers:
                rates["epoll_p16"].append(broker(args.brokers, args.seconds, "name=p16", "prefetch=16", "window=64")[0])
                latency["epoll_p1"].append(broker(args.brokers, args.seconds, "name=p1", "window=1", cpu=0)[1])
            latency["warmpool"].append(pinned.json("bench", "latency", "--tasks", "5000")["p50_ns"] / 1000)
        base = median(rates["epoll_p1"])
        print(f"2 workers, 64 bytes, 64 outstanding, medians of {args.rounds} interleaved rounds")
        for name, values in rates.items():
            if values:
                ratio = f"  {median(values) / base:5.2f} x epoll_p1" if args.brokers else ""
                print(f"  {name:14s} {min(values):9.0f} / {median(values):9.0f} / {max(values):9.0f} tasks/s{ratio}")
        print("1 outstanding, all pinned to one core, p50")
        base = median(latency["epoll_p1"])
        for name, values in latency.items():
            if values:
                ratio = f"  {median(values) / base:5.2f} x epoll_p1" if args.brokers else ""
                print(f"  {name:14s} {min(values):9.1f} / {median(values):9.1f} / {max(values):9.1f} us{ratio}")
        one.call("pause", "echo")
        before, tasks = one.rss(), 1_000_000
        submit_only(f"{one.dir}/warmpool.sock", tasks)
        waiting = one.json("status")["queue"]["depth"]
        print(f"{waiting} waiting tasks of 64 bytes: {(one.rss() - before) / waiting - 64:.0f} bytes each beyond the payload (resident)")
    finally:
        for daemon in (one, sixteen, pinned):
            daemon.close()


if __name__ == "__main__":
    main()
