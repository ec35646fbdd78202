#!/usr/bin/python3
"""warmpool beside its peers, on the same workloads, in turns. Run it by run.sh, which installs what is missing.

All peers of a number of workers run at once and only one of them has work, so that they take turns within each round. Each figure is
divided by that of warmpool in the same round; the medians of figures and of ratios are quoted.
"""
import argparse
import importlib.util
import json
import os
import shutil
import signal
import sys
import time

import machine
import report
from peers import PEERS

MIB = 1 << 20
PINNED = {0}
DRAIN_SECONDS_MAX = 4


class Case:
    def __init__(self, group, workers, payload_bytes, outstanding, pinned=False):
        self.group, self.workers, self.payload_bytes, self.outstanding, self.pinned = group, workers, payload_bytes, outstanding, pinned

    def fits(self, peer):
        fits = self.payload_bytes <= peer.payload_bytes_max and self.outstanding <= peer.outstanding_max
        if self.group == "durable cycle" and not peer.durable_cycle or self.group == "durable accept" and not peer.holds:
            return False
        return fits and not (self.pinned and peer.tier == "process")

    def key(self):
        return vars(self)

    @property
    def is_durable(self):
        return self.group.startswith("durable")


def echo_cases(workers, quick):
    if workers != 2:
        return [Case("echo", workers, 64, outstanding) for outstanding in (64, 1000)]
    sizes = [Case("echo", 2, size, outstanding) for size in (64, 1024) for outstanding in (1, 64, 1000)]
    large = [Case("large", 2, size * MIB, 1) for size in ((1, ) if quick else (1, 16, 100))]
    return sizes + [Case("pinned", 2, 64, 1, True)] + large


def durable_cases():
    return [Case(group, 2, 64, outstanding) for outstanding in (1, 64, 1000) for group in ("durable cycle", "durable accept")]


class Results:
    """Of each case and peer: a row of figures for each round."""

    def __init__(self):
        self.cases, self.figures, self.failures, self.skipped, self.idle, self.waiting, self.too_slow = [], {}, {}, {}, {}, {}, {}

    def add(self, case, peer, figure):
        if not any(case.key() == known.key() for known in self.cases):
            self.cases.append(case)
        self.figures.setdefault((json.dumps(case.key()), peer.name), []).append(figure)

    def fail(self, peer, where, error):
        text = str(error).strip() or type(error).__name__
        self.failures.setdefault(peer.name, {})[where] = text
        print(f"compare: {peer.name}, {where}: {text}", file=sys.stderr, flush=True)

    def is_too_slow(self, case, peer):
        """Whether so many outstanding would take it many turns: by what it did with 64 in the first round. It stays at that."""
        fewer = Case(case.group, case.workers, 64, 64)
        known = self.of(fewer, peer.name)
        if case.outstanding <= 64 or not known or known[0]["per_second"] * DRAIN_SECONDS_MAX >= case.outstanding:
            return False
        self.too_slow.setdefault(peer.name, [])
        if report.case_text(case) not in self.too_slow[peer.name]:
            self.too_slow[peer.name].append(report.case_text(case))
        return True

    def of(self, case, name):
        return self.figures.get((json.dumps(case.key()), name), [])


class Run:
    def __init__(self, place, peers, options):
        self.place, self.peers, self.options, self.results = place, peers, options, Results()

    def say(self, text):
        print(f"compare: {text}", file=sys.stderr, flush=True)

    def start(self, peer_class, workers, durable=False):
        """Nothing, where it does not start; it is tried in each group once."""
        peer = peer_class()
        try:
            peer.start(self.place, workers, durable)
            if hasattr(peer, "host") and peer.host:
                peer.echo(64, 1, 0.05)  # all is there once it has answered
            return peer
        except (RuntimeError, OSError, ValueError) as error:
            self.results.fail(peer, f"start with {workers} workers", error)
            peer.stop()
            return None

    def measure(self, peer, case, number):
        everybody = peer.pids()
        if case.pinned:
            machine.pin(everybody, PINNED)
        before = machine.usage(everybody)["cpu_seconds"]
        try:
            if case.group == "durable accept":
                figure = peer.hold(case.payload_bytes, case.outstanding, self.options.seconds, 1_000_000)
            else:
                figure = peer.echo(case.payload_bytes, case.outstanding, self.options.seconds)
        finally:
            if case.pinned:
                machine.pin(everybody, set(range(os.cpu_count())))
        figure["round"], figure["per_second"] = number, figure["tasks"] / figure["seconds"]
        if peer.tier != "process" and figure["tasks"]:
            figure["cpu_us"] = (machine.usage(peer.pids())["cpu_seconds"] - before) / figure["tasks"] * 1e6
        self.results.add(case, peer, figure)

    def turns(self, running, cases, rounds):
        """Each round begins with another peer, so that none always follows the same."""
        broken = set()
        for number in range(rounds):
            self.say(f"{'durable' if cases[0].is_durable else f'{cases[0].workers} workers'}, round {number + 1} of {rounds}")
            for case in cases:
                for peer in running[number % len(running):] + running[:number % len(running)]:
                    if peer in broken or not case.fits(peer) or self.results.is_too_slow(case, peer):
                        continue
                    try:
                        self.measure(peer, case, number)
                    except (RuntimeError, OSError, ValueError) as error:
                        self.results.fail(peer, report.case_text(case), error)
                        broken.add(peer)

    def echo_group(self, workers):
        running = [peer for peer in (self.start(peer, workers) for peer in self.peers) if peer]
        try:
            if workers == max(self.options.workers):
                self.idle(running, workers)
            running = [peer for peer in running if self.warm_up(peer, workers)]
            if running:
                self.turns(running, echo_cases(workers, self.options.quick), self.options.rounds)
        finally:
            for peer in running:
                peer.stop()

    def warm_up(self, peer, workers):
        """A turn that is thrown away: pools that start or load their workers with the first tasks are not judged by that."""
        try:
            peer.echo(64, min(64, peer.outstanding_max), self.options.seconds)
            return True
        except (RuntimeError, OSError, ValueError) as error:
            self.results.fail(peer, f"warm-up with {workers} workers", error)
            peer.stop()
            return False

    def idle(self, running, workers):
        """What all its processes use while nobody asks; all at once, because each has its own."""
        running = [peer for peer in running if peer.tier != "process"]
        time.sleep(self.options.idle_seconds / 2)
        before = [(peer, machine.usage(peer.pids())["cpu_seconds"], time.monotonic()) for peer in running]
        time.sleep(self.options.idle_seconds)
        for peer, cpu, at in before:
            seconds, pids = time.monotonic() - at, peer.pids()
            used = (machine.usage(pids)["cpu_seconds"] - cpu) / seconds
            self.results.idle[peer.name] = {"workers": workers, "cpu_percent": 100 * used, "pss_bytes": machine.pss(pids),
                                            "server_rss_bytes": machine.usage(peer.kept_by())["rss_bytes"], "processes": len(pids)}

    def durable(self):
        running = [self.start(peer, 2, True) for peer in self.peers if peer.durable_note]
        running = [peer for peer in running if peer]
        try:
            if running:
                self.turns(running, durable_cases(), self.options.rounds)
        finally:
            for peer in running:
                peer.stop()

    def waiting(self):
        """Tasks that nobody takes, and what their server holds for each. One peer after the other, each begun anew in each round."""
        holders = [peer_class for peer_class in self.peers if peer_class.holds]
        for number in range(self.options.rounds):
            self.say(f"{self.options.waiting:,} waiting, round {number + 1} of {self.options.rounds}")
            for peer_class in holders[number % max(1, len(holders)):] + holders[:number % max(1, len(holders))]:
                if f"{self.options.waiting} waiting" not in self.results.failures.get(peer_class.name, {}):
                    self.fill(peer_class, number)

    def fill(self, peer_class, number):
        peer = self.start(peer_class, 2)
        if not peer:
            return
        try:
            before = machine.usage(peer.kept_by())["rss_bytes"]
            figure = peer.hold(64, 1000, 120, self.options.waiting)
            held = machine.usage(peer.kept_by())["rss_bytes"] - before
            self.results.waiting.setdefault(peer.name, []).append({
                "round": number, "tasks": figure["tasks"], "per_second": figure["tasks"] / figure["seconds"],
                "bytes_each": max(held / max(figure["tasks"], 1) - 64, 0)})
        except (RuntimeError, OSError, ValueError) as error:
            self.results.fail(peer, f"{self.options.waiting} waiting", error)
        finally:
            peer.stop()


def missing_of(peer, here):
    """Why it cannot run, or nothing."""
    for module in peer.modules:
        if not os.path.isdir(os.path.join(here, "node_modules", module)):
            return f"npm module {module} is not there"
    for program in peer.programs:
        if not shutil.which(program):
            return f"{program} is not installed (Debian: {', '.join(peer.packages) or program})"
    for module in peer.imports:
        if not importlib.util.find_spec(module):
            return f"Python module {module} is not installed (Debian: {', '.join(peer.packages)})"
    return ""


def chosen(options):
    wanted = [name.strip() for name in options.only.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in [peer.name for peer in PEERS]]
    if unknown:
        raise SystemExit(f"compare: no such peer: {', '.join(unknown)}. There are: {', '.join(peer.name for peer in PEERS)}")
    if wanted:
        bases = {peer.base for peer in PEERS if peer.name in wanted} | {"warmpool"}
        return [peer for peer in PEERS if peer.name in wanted or peer.name in bases]
    return [peer for peer in PEERS if peer.in_quick or not options.quick]


GROUPS = ("echo", "durable", "waiting")


def within(kind, least, most):
    """A number of an option."""
    def number(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least} to {most:,}")
        return value
    return number


def some_of(names):
    def words(text):
        found = text.split(",")
        if not set(found) <= set(names):
            raise argparse.ArgumentTypeError(f"{text!r} is not some of {','.join(names)}")
        return found
    return words


def numbers(text):
    return [within(int, 1, 100)(word) for word in text.split(",")]


def options_of(words):
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=within(int, 1, 1000), help="rounds [5; 2 with --quick]")
    parser.add_argument("--quick", action="store_true", help="a look in some minutes: 2 workers, short turns, 100,000 waiting")
    parser.add_argument("--only", default="", metavar="A,B", help="these peers, and the warmpool that they are divided by")
    parser.add_argument("--groups", type=some_of(GROUPS), default=list(GROUPS), help="which of echo (and large, pinned, idle), durable, waiting [all]")
    parser.add_argument("--workers", type=numbers, help="numbers of workers [2,8,20]")
    parser.add_argument("--seconds", type=within(float, 0.01, 60), help="of one turn [0.5]")
    parser.add_argument("--waiting", type=within(int, 1, 10_000_000), help="tasks that wait [1000000]")
    parser.add_argument("--bin", required=True, help="where warmpoold is")
    parser.add_argument("--load", required=True, help="the built load.cpp")
    parser.add_argument("--out", required=True, help="folder of the plots and of compare.md")
    parser.add_argument("--json", metavar="FILE", help="all figures of all rounds")
    parser.add_argument("--list", action="store_true", help="the peers and how each is run")
    options = parser.parse_args(words)
    quick = options.quick
    options.rounds = options.rounds or (2 if quick else 5)
    options.workers = options.workers or ([2] if quick else [2, 8, 20])
    options.seconds = options.seconds or (0.2 if quick else 0.5)
    options.waiting = options.waiting or (100_000 if quick else 1_000_000)
    options.idle_seconds = 1 if quick else 5
    return options


def work(run):
    groups = run.options.groups
    if "echo" in groups:
        for workers in run.options.workers:
            run.say(f"starting {len(run.peers)} peers with {workers} workers each")
            run.echo_group(workers)
    if "durable" in groups:
        run.durable()
    if "waiting" in groups:
        run.waiting()


def interrupted(*_):
    raise KeyboardInterrupt


def main(words):
    options = options_of(words)
    if options.list:
        for peer in PEERS:
            print(f"{peer.name}: {peer.note}")
        return 0
    peers = chosen(options)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupted)
    place = machine.Place(os.path.abspath(options.bin), os.path.abspath(options.load))
    run = Run(place, [peer for peer in peers if not missing_of(peer, place.here)], options)
    run.results.skipped = {peer.name: missing_of(peer, place.here) for peer in peers if missing_of(peer, place.here)}
    begun, status = time.monotonic(), 0
    try:
        work(run)
    except KeyboardInterrupt:
        run.say("interrupted: what there is so far follows")
        status = 130
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        place.end()
    report.write(run.results, run.peers, options, time.monotonic() - begun)
    return status or (1 if run.results.failures else 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
