#!/usr/bin/python3
"""Instructions of the daemon for a no-op task, counted by valgrind's callgrind: has a change made the path of a small task longer?

    bench/instructions.py [--bin DIR] [--against DIR] [--rounds N]

Each figure is the difference of two runs, of 12,000 tasks and of 2,000, so that start and end do not count. --against names a
folder with our programs as another commit has built them; the two take turns. How many tasks come in one read depends on the
scheduler, and with it the figure, by one or two percent. Workers and clients run as they are.
"""
import argparse
import json
import os
import re
import statistics
import tempfile

import speed

FEW, MANY = 2_000, 12_000


class Counted(speed.Daemon):
    """Under valgrind. Its own time does not count: nothing happens by the clock."""

    def __init__(self, bin_dir, preload, credits):
        self.log = tempfile.NamedTemporaryFile("r", encoding="ascii", prefix="warmpool-callgrind.")
        self.preload = preload
        quiet = ("--board", "false", "--heartbeat-interval", "1h", "--unresponsive-after", "2h", "--dead-after", "3h")
        super().__init__(bin_dir, credits, options=quiet)

    def start(self, *command, **options):
        if not command[0].endswith("/warmpoold"):
            return super().start(*command, **options)
        self.environment = {"LD_PRELOAD": self.preload}
        started = super().start("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={self.log.name}",
                                *command, **options)
        self.environment = {}
        return started

    def instructions(self):
        """Order: after close."""
        return int(re.search(r"Collected : (\d+)", self.log.read())[1])


def of_run(bin_dir, preload, credits, outstanding, tasks):
    daemon = Counted(bin_dir, preload, credits)
    try:
        report = json.loads(daemon.call(*speed.bench_arguments(outstanding, tasks), "--json").stdout)
    finally:
        daemon.close()
    assert report["failed"] == 0, report
    return daemon.instructions()


def of_task(bin_dir, preload, credits, outstanding):
    few, many = (of_run(bin_dir, preload, credits, outstanding, tasks) for tasks in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=os.path.join(here, "..", "build", "release", "bin"), help="our programs")
    parser.add_argument("--against", metavar="DIR", help="our programs of another commit")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    ours = os.path.abspath(args.bin)
    preload = os.path.join(ours, "bench-pidfd.so")
    sides = {"now": ours} | ({"before": os.path.abspath(args.against)} if args.against else {})
    for credits, outstanding in ((1, 1), (1, 64), (16, 64)):
        counts = {side: [] for side in sides}
        for _ in range(args.rounds):
            for side, folder in sides.items():
                counts[side].append(of_task(folder, preload, credits, outstanding))
        print(f"K = {credits}, {outstanding} outstanding: instructions of the daemon a task")
        for side, figures in counts.items():
            print(f"  {side:7s} {speed.spread(figures, 0)}")
        if args.against:
            print(f"  ratio   {statistics.median(counts['now']) / statistics.median(counts['before']):.3f}")


if __name__ == "__main__":
    main()
