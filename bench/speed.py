#!/usr/bin/python3
"""No-op tasks through the whole path, beside minimal brokers; and where the time goes.

    bench/speed.py [--bin DIR] [--brokers DIR] [--rounds N] [--seconds S]     ratios
    bench/speed.py --against DIR [--bin DIR] [--rounds N] [--seconds S]       the same against our programs of before
    bench/speed.py --spin 50us [--bin DIR] [--rounds N] [--seconds S]         with the option spin, beside without
    bench/speed.py --where [--record] [--bin DIR] [--seconds S]               CPU, wake-ups, system calls a task

--brokers names a folder with the program l3_epoll (client -> broker -> worker -> broker -> client, nothing else done);
without it only warmpool is measured. --against names a folder with programs of this project, as another commit has built
them, which take the broker's turns: has a change made the path of a small task slower? --spin: daemon, workers and client
look so long for what comes before they sleep, and take turns with the same programs without it.

Ratios: broker and warmpool take turns, A B A B ... A, and each B is divided by the mean of the two A beside it, so that what
changes slowly hits both alike. The first turn is a warm-up and thrown away. Before each measurement the processor is kept
busy for a moment, so that none begins on one that sleeps. Quoted is the median of the ratios, with the quartiles.
Where one task is outstanding all processes of both sides are pinned to one core.
"""
import argparse
import collections
import json
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

CPU = 0  # where what is pinned runs
WORKERS = 2
PAYLOAD_BYTES = 64

CONFIG = """
[[class]]
name = "worker"
command = ["{bin}/warmpool-worker", "--credits", "{credits}"]
environment = [{environment}]
types = ["echo"]
channel = "{channel}"
size = {workers}
size_min = 1
size_max = 4
credits = {credits}
"""


class Daemon:
    def __init__(self, bin_dir, credits, cpu=None, environment=None, channel="socket", options=(), spin=None):
        self.bin, self.dir, self.spin = bin_dir, tempfile.mkdtemp(prefix="warmpool-speed."), spin
        if spin:
            options = (*options, "--spin", spin)
        self.environment = environment or {}
        config = os.path.join(self.dir, "warmpool.toml")
        with open(config, "w", encoding="utf-8") as file:
            pairs = ", ".join(f'"{name}={value}"' for name, value in self.environment.items())
            file.write(CONFIG.format(bin=bin_dir, credits=credits, workers=WORKERS, environment=pairs,
                                     channel=channel))
        self.prefix = ["taskset", "-c", str(cpu)] if cpu is not None else []
        self.process = self.start(f"{bin_dir}/warmpoold", "--config", config, "--runtime-dir", self.dir,
                                  "--store", "volatile", "--log-level", "warn", *options)
        try:
            self.wait_until_ready()
        except BaseException:
            self.close()
            raise

    def wait_until_ready(self):
        deadline = time.monotonic() + 30
        while True:
            answer = self.call("status", "--json", check=False)
            if answer.returncode == 0 and json.loads(answer.stdout)["workers"]["ready"] == WORKERS:
                return
            if time.monotonic() > deadline or self.process.poll() is not None:
                sys.exit(f"warmpoold did not start: {answer.stderr}")
            time.sleep(0.05)

    def start(self, *command, **options):
        return subprocess.Popen([*self.prefix, *command], env={**os.environ, **self.environment}, **options)

    def client(self, *arguments):
        return f"{self.bin}/warmpool", "--socket", f"{self.dir}/warmpool.sock", *arguments

    def call(self, *arguments, check=True):
        return subprocess.run([*self.prefix, *self.client(*arguments)], capture_output=True, text=True, check=check)

    def json(self, *arguments):
        return json.loads(self.call(*arguments, "--json").stdout)

    def bench(self, outstanding, seconds, guess):
        """Tasks a second and p50 in us, of a run of about so many seconds; `guess`: tasks a second that there may be."""
        spin = ("--spin", self.spin) if self.spin else ()
        report = self.json(*bench_arguments(outstanding, max(1000, int(seconds * guess))), *spin)
        return report["tasks_per_second"], report["p50_ns"] / 1000

    def rss(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) * 1024

    def close(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)


def bench_arguments(outstanding, tasks):
    return ("bench", "throughput", "--tasks", str(tasks), "--in-flight", str(outstanding),
            "--payload-bytes", str(PAYLOAD_BYTES))


def broker(directory, seconds, prefetch, outstanding, pinned):
    """Tasks a second and p50 in us. The broker sets its processes' affinity itself: a taskset around it has no effect."""
    out = subprocess.run([f"{directory}/l3_epoll", f"name=p{prefetch}", f"prefetch={prefetch}", f"window={outstanding}",
                          f"workers={WORKERS}", "runs=1", f"secs={seconds}", f"pin={2 if pinned else 0}"],
                         capture_output=True, text=True, check=True).stdout
    found = re.search(r"rate (\d+)/.*?p50 ([\d.]+)", out)
    return float(found[1]), float(found[2])


def awake(measure):
    """A virtual processor that has slept is slow for a while: it is kept busy for a moment first."""
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        pass
    return measure()


def stolen():
    """Ticks that the host took away, and all ticks, since boot."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    return ticks[7], sum(ticks)


class Case:
    """One comparison: `ours` and `theirs` each give a figure; more is better where `is_rate`."""

    def __init__(self, title, is_rate, wanted, ours, theirs):
        self.title, self.is_rate, self.wanted, self.ours, self.theirs = title, is_rate, wanted, ours, theirs
        self.own, self.others, self.stolen = [], [], 0.0

    def take(self, rounds, with_others):
        taken, all_ticks = stolen()
        for _ in range(rounds + 1):
            if with_others:
                self.others.append(awake(self.theirs))
            self.own.append(awake(self.ours))
        if with_others:
            self.others.append(awake(self.theirs))
        del self.own[:1], self.others[:1]  # the warm-up
        self.stolen = (stolen()[0] - taken) / max(1, stolen()[1] - all_ticks)

    def ratios(self):
        return [own / statistics.mean(self.others[turn:turn + 2]) for turn, own in enumerate(self.own)]

    def print(self):
        unit = "tasks/s" if self.is_rate else "us p50"
        print(f"{self.title}   (wanted: {self.wanted}; stolen by the host meanwhile: {self.stolen:.0%})")
        print(f"  warmpool  {spread(self.own, 0 if self.is_rate else 1)} {unit}")
        if self.others:
            print(f"  other     {spread(self.others, 0 if self.is_rate else 1)} {unit}")
            print(f"  ratio     {spread(self.ratios(), 2)}")


def spread(values, digits):
    quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    shown = [min(values), *quartiles, max(values)]
    return "  ".join(f"{name} {value:.{digits}f}" for name, value in zip(("min", "q1", "median", "q3", "max"), shown))


HEADER = struct.Struct("<IHBBQQHHHBB")  # docs/protocol.md, section 2


def submit_only(path, tasks):
    """Submits `tasks` tasks, pipelined, and waits until each is accepted."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.connect(path)
    hello = bytes([0x96, 0, 1, 1, 0, 0xA1]) + b"b" + bytes([0])  # role, versions, features, name, pid
    name = b"\x91\xa4echo"
    link.sendall(HEADER.pack(len(hello), len(hello), 1, 0, 0, 0, 0, 0, 0, 0, 0) + hello)
    link.sendall(HEADER.pack(len(name), len(name), 6, 0, 0, 0, 0, 0, 0, 0, 0) + name)
    accepted = 0
    for first in range(0, tasks, 20_000):
        count = min(20_000, tasks - first)
        link.sendall(b"".join(HEADER.pack(PAYLOAD_BYTES, 0, 16, 0, 0, first + i, 0, 0, 0, 0, 0) + b"x" * PAYLOAD_BYTES
                              for i in range(count)))
        while accepted < first + count:
            header = link.recv(32, socket.MSG_WAITALL)
            body, _, kind = HEADER.unpack(header)[:3]
            if body:
                link.recv(body, socket.MSG_WAITALL)
            if kind in (3, 33):
                sys.exit(f"submit was answered by kind {kind}")
            accepted += kind == 32


def print_memory(daemon):
    daemon.call("pause", "echo")
    before = daemon.rss()
    submit_only(f"{daemon.dir}/warmpool.sock", 1_000_000)
    waiting = daemon.json("status")["queue"]["depth"]
    each = (daemon.rss() - before) / waiting - PAYLOAD_BYTES
    print(f"{waiting} waiting tasks of {PAYLOAD_BYTES} bytes   (wanted: at most 200)")
    print(f"  {each:.0f} bytes each beyond the payload (resident)")


def compare(args):
    daemons, before = {}, {}

    def other(credits, outstanding, guess, pinned, figure):
        if args.brokers:
            return broker(args.brokers, args.seconds, credits, outstanding, pinned)[figure]
        if (credits, pinned) not in before:
            before[credits, pinned] = Daemon(args.against or args.bin, credits, CPU if pinned else None, options=args.options)
        return before[credits, pinned].bench(outstanding, args.seconds, guess)[figure]

    def case(title, wanted, credits, outstanding, guess, pinned=False):
        figure = 1 if outstanding == 1 else 0  # p50 or tasks a second
        daemon = daemons[credits, pinned] = Daemon(args.bin, credits, CPU if pinned else None, options=args.options,
                                                   spin=args.spin)
        return Case(title, figure == 0, wanted if not args.spin else "nothing, with spin beside without",
                    ours=lambda: daemon.bench(outstanding, args.seconds, guess)[figure],
                    theirs=lambda: other(credits, outstanding, guess, pinned, figure))

    try:
        print(f"{WORKERS} workers, {PAYLOAD_BYTES} bytes, {args.rounds} rounds, load of the machine before: "
              f"{os.getloadavg()[0]:.1f}")
        cases = [case("K = 1, 64 outstanding", "ratio >= 0.7", 1, 64, 40_000),
                 case("K = 16, 64 outstanding", ">= 100,000 tasks/s", 16, 64, 150_000)]
        if args.spin:
            cases.append(case("4 in hand, 1 outstanding, on all cores", "", 4, 1, 10_000))
        else:
            cases.append(case("1 outstanding, all on one core", "ratio <= 2.0", 1, 1, 15_000, pinned=True))
        for each in cases:
            each.take(args.rounds, args.brokers or args.against or args.spin)
            each.print()
        if not args.without_memory and not args.spin:
            print_memory(daemons[1, False])
    finally:
        for daemon in [*daemons.values(), *before.values()]:
            daemon.close()


# --- Where the time goes ------------------------------------------------------------------------------------

# In the order of bench/syscount_preload.cpp.
CALLS = ("read", "write", "readv", "writev", "recv", "send", "recvmsg", "sendmsg", "poll", "epoll_wait", "epoll_ctl",
         "timerfd_settime", "ioctl")
Usage = collections.namedtuple("Usage", "cpu_us kernel_us queued_us wakeups calls")


def added(usages):
    return Usage(*(sum(column) for column in list(zip(*usages))[:4]), sum((each.calls for each in usages), collections.Counter()))


def calls_of(directory, pid):
    with open(os.path.join(directory, str(pid)), "rb") as file:
        return collections.Counter(dict(zip(CALLS, struct.unpack(f"<{len(CALLS)}Q", file.read(8 * len(CALLS))))))


def usage_of(directory, pid):
    """Of a process so far, all its threads together."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        kernel = int(file.read().rsplit(")", 1)[1].split()[12]) * 1e6 / os.sysconf("SC_CLK_TCK")
    cpu = queued = wakeups = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            ran, waited, _ = map(int, file.read().split())
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as file:
            wakeups += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.M)[1])
        cpu, queued = cpu + ran / 1000, queued + waited / 1000
    return Usage(cpu, kernel, queued, wakeups, calls_of(directory, pid))


def less(after, before):
    return Usage(*(a - b for a, b in zip(after[:4], before[:4])), after.calls - before.calls)


def run_client(daemon, directory, outstanding, tasks):
    """The report of a bench run, and what its process used."""
    process = daemon.start(*daemon.client(*bench_arguments(outstanding, tasks), "--json"), stdout=subprocess.PIPE)
    report = json.loads(process.stdout.read())
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    kernel = used.ru_stime * 1e6
    return report, Usage(used.ru_utime * 1e6 + kernel, kernel, float("nan"), used.ru_nvcsw, calls_of(directory, process.pid))


def print_usage(name, usage, tasks):
    calls = ", ".join(f"{call} {count / tasks:.2f}" for call, count in usage.calls.most_common() if count / tasks >= 0.005)
    queued = "     -" if usage.queued_us != usage.queued_us else f"{usage.queued_us / tasks:6.2f}"
    print(f"  {name:8s} {usage.cpu_us / tasks:8.2f} {usage.kernel_us / max(usage.cpu_us, 1):8.0%} {queued:>9s} "
          f"{usage.wakeups / tasks:9.2f} {usage.calls.total() / tasks:7.2f}   {calls}")


def print_where(daemon, directory, title, outstanding, tasks):
    daemon.bench(outstanding, 1, tasks / 4)  # a warm-up
    workers = [worker["pid"] for worker in daemon.json("workers")["workers"]]
    before = {pid: usage_of(directory, pid) for pid in [daemon.process.pid, *workers]}
    report, client = awake(lambda: run_client(daemon, directory, outstanding, tasks))
    used = {pid: less(usage_of(directory, pid), before[pid]) for pid in before}
    rows = {"client": client, "daemon": used[daemon.process.pid], "workers": added([used[pid] for pid in workers])}
    print(f"{title}: {report['tasks_per_second']:.0f} tasks/s, one in {1e6 / report['tasks_per_second']:.2f} us, "
          f"p50 {report['p50_ns'] / 1000:.1f} us")
    print("  process   CPU us   kernel    queued  wake-ups   calls   of them")
    for name, usage in [*rows.items(), ("sum", added(list(rows.values())))]:
        print_usage(name, usage, tasks)


def print_hops(bin_dir, credits, outstanding, pinned, tasks, options):
    """Without the library that counts calls: a daemon of its own."""
    daemon = Daemon(bin_dir, credits, CPU if pinned else None, options=options)
    try:
        daemon.bench(outstanding, 1, tasks / 4)  # a warm-up
        print(awake(lambda: daemon.call(*bench_arguments(outstanding, tasks), "--where")).stdout)
    finally:
        daemon.close()


def where(args):
    print(f"{WORKERS} workers, {PAYLOAD_BYTES} bytes; all figures a task. kernel: share of CPU, by ticks of 10 ms. "
          "queued: ready to run and not running.\nwake-ups: how often it slept and was woken. "
          "The client's start is in its figures.")
    for credits, outstanding, pinned, guess in ((1, 1, True, 15_000), (1, 64, False, 40_000), (16, 64, False, 150_000)):
        directory = tempfile.mkdtemp(prefix="warmpool-syscount.")
        counting = {"LD_PRELOAD": os.path.join(args.bin, "bench-syscount.so"), "WARMPOOL_SYSCOUNT": directory}
        daemon = Daemon(args.bin, credits, CPU if pinned else None, counting, options=args.options)
        try:
            title = f"K = {credits}, {outstanding} outstanding" + (", all on one core" if pinned else "")
            print_where(daemon, directory, title, outstanding, max(1000, int(4 * args.seconds * guess)))
        finally:
            daemon.close()
            shutil.rmtree(directory, ignore_errors=True)
        print_hops(args.bin, credits, outstanding, pinned, max(1000, int(args.seconds * guess)), args.options)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(here, "..", "build", "release", "bin"), help="our programs")
    parser.add_argument("--brokers", help="the folder of l3_epoll")
    parser.add_argument("--against", metavar="DIR", help="our programs of another commit, in place of the brokers")
    parser.add_argument("--spin", metavar="TIME", help="with this spin, in turns with none")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement [0.5]")
    parser.add_argument("--without-memory", action="store_true", help="leave out the million waiting tasks")
    parser.add_argument("--record", dest="options", action="store_const", const=("--record", "true"), default=(),
                        help="with the flight recorder on")
    parser.add_argument("--where", action="store_true", help="where the time goes, instead of ratios")
    args = parser.parse_args()
    args.bin = os.path.abspath(args.bin)
    args.against = args.against and os.path.abspath(args.against)
    if sum(map(bool, (args.against, args.brokers, args.spin))) > 1:
        parser.error("--against, --spin and --brokers take the same turns: give one")
    where(args) if args.where else compare(args)


if __name__ == "__main__":
    main()
