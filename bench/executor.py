#!/usr/bin/python3
"""warmpool.Executor beside concurrent.futures.ProcessPoolExecutor, in one run.

    bench/executor.py [--bin DIR] [--rounds N] [--seconds S] [--workers N] [--bytes N]

Both echo payloads for the same loader (bench/compare/hosts/python_host.py), 2 workers each, and take turns A B A B ... A in each
case; each turn of warmpool is divided by the mean of the two beside it. What is quoted is the median of the ratios of calls a
second, with the least and the most: above 1 warmpool is the faster. The first turn of each is a warm-up and thrown away.
cpu us: processor time of a call in all processes of a side, which says something on a busy machine too.
"""
import argparse
import collections
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
HOST = os.path.join(HERE, "compare", "hosts", "python_host.py")
OUTSTANDING = (1, 64, 1000)


def family(pid):
    """A process and all that descend from it."""
    children = collections.defaultdict(list)
    for each in filter(str.isdigit, os.listdir("/proc")):
        fields = stat_of(each)
        if fields:
            children[int(fields[1])].append(int(each))
    found = [pid]
    for each in found:
        found += children[each]
    return found


def stat_of(pid):
    """The fields of /proc/PID/stat from the state on; none where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def cpu_seconds(pids):
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in map(stat_of, pids) if fields)
    return ticks / os.sysconf("SC_CLK_TCK")


class Pool:
    """A program with one executor in it, which works when it is told to."""

    def __init__(self, adapter, options):
        environment = {**os.environ, "PYTHONPATH": os.path.join(HERE, "..", "sdk", "python"), "WARMPOOL_BIN_DIR": options.bin}
        self._options = options
        self._process = subprocess.Popen([sys.executable, HOST, adapter, str(options.workers)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, env=environment)

    def turn(self, outstanding):
        """What one turn gave: calls a second, the median of their times and what each cost, both in microseconds."""
        pids = family(self._process.pid)
        before = cpu_seconds(pids)
        print("echo", self._options.bytes, outstanding, self._options.seconds, file=self._process.stdin, flush=True)
        said = self._process.stdout.readline()
        if not said:
            sys.exit("a pool has ended; what it said is above")
        result = json.loads(said)
        return result["tasks"] / result["seconds"], result["p50_us"], (cpu_seconds(pids) - before) * 1e6 / result["tasks"]

    def close(self):
        self._process.stdin.close()
        self._process.wait(60)


def measure(ours, theirs, outstanding, rounds):
    for each in (theirs, ours):
        each.turn(outstanding)
    before, ratios, rows = theirs.turn(outstanding), [], []
    for _ in range(rounds):
        turn, after = ours.turn(outstanding), theirs.turn(outstanding)
        ratios.append(turn[0] / statistics.mean((before[0], after[0])))
        rows.append((*turn, *after))
        before = after
    rate, p50, cpu, their_rate, their_p50, their_cpu = (statistics.median(column) for column in zip(*rows))
    print(f"{outstanding:>11} {rate:>9,.0f} {p50:>9,.0f} {cpu:>7,.0f} {their_rate:>12,.0f} {their_p50:>9,.0f} {their_cpu:>7,.0f} "
          f"{statistics.median(ratios):>7.2f}   {min(ratios):.2f} to {max(ratios):.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(HERE, "..", "build", "release", "bin"), help="where warmpoold is")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bytes", type=int, default=64)
    options = parser.parse_args()
    pools = []
    try:
        pools = [Pool(adapter, options) for adapter in ("warmpool_executor", "process_pool_executor")]
        print("outstanding  warmpool    p50 us  cpu us  ProcessPool    p50 us  cpu us   ratio   least to most")
        for outstanding in OUTSTANDING:
            measure(*pools, outstanding, options.rounds)
    finally:
        for each in pools:
            each.close()


if __name__ == "__main__":
    main()
