#!/usr/bin/python3
"""Workers over sockets beside workers over FIFOs, through the whole path, interleaved in one run, so that slow phases hit both alike.

    bench/channels.py [--bin DIR] [--rounds N] [--tasks N]

2 workers. Tasks a second with 64 outstanding: one task in a worker's hand (K = 1) and sixteen (K = 16), 64 bytes; K = 1 with 64 KiB.
One outstanding, everything pinned to one core: microseconds from submit to result. Prints least / median / most of the rounds, and the
ratio of the medians.
"""
import argparse
import os
from statistics import median

from speed import Daemon

CHANNELS = ("socket", "fifo")
CASES = [("K=1  64 B", 1, 64, 1), ("K=16 64 B", 16, 64, 3), ("K=1  64 KiB", 1, 65_536, 0.2)]


def show(name, unit, values):
    """One line for each channel; the second with its ratio to the first."""
    base = median(values["socket"])
    for channel in CHANNELS:
        some = values[channel]
        ratio = f"  {median(some) / base:5.2f} x socket" if channel != "socket" else ""
        print(f"  {name:12s} {channel:7s} {min(some):9.1f} / {median(some):9.1f} / {max(some):9.1f} {unit}{ratio}")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(here, "..", "build", "release", "bin"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tasks", type=int, default=20_000)
    args = parser.parse_args()
    bin_dir = os.path.abspath(args.bin)
    daemons = {}
    rates = {name: {channel: [] for channel in CHANNELS} for name, *_ in CASES}
    latency = {channel: [] for channel in CHANNELS}
    try:
        for channel in CHANNELS:
            for credits in (1, 16):
                daemons[channel, credits] = Daemon(bin_dir, credits, channel=channel)
            daemons[channel, "pinned"] = Daemon(bin_dir, 1, cpu=0, channel=channel)
        for round in range(args.rounds):
            for name, credits, payload, share in CASES:
                for channel in CHANNELS if round % 2 == 0 else reversed(CHANNELS):
                    ran = daemons[channel, credits].json("bench", "throughput", "--tasks", str(int(args.tasks * share)),
                                                         "--in-flight", "64", "--payload-bytes", str(payload))
                    rates[name][channel].append(ran["tasks_per_second"])
            for channel in CHANNELS:
                ran = daemons[channel, "pinned"].json("bench", "latency", "--tasks", "3000")
                latency[channel].append(ran["p50_ns"] / 1000)
        print(f"2 workers, 64 outstanding, {args.rounds} interleaved rounds")
        for name, *_ in CASES:
            show(name, "tasks/s", rates[name])
        print("1 outstanding, all pinned to one core, p50")
        show("64 B", "us", latency)
    finally:
        for daemon in daemons.values():
            daemon.close()


if __name__ == "__main__":
    main()
