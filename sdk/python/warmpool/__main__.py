"""python3 -m warmpool MODULE...: a worker that runs the tasks of these modules."""
from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from typing import Optional, Sequence

from .start import TASKS_MAX
from .tasks import registry
from .worker import Worker


def load(name: str) -> None:
    """A module by its name, or by its file."""
    if not name.endswith(".py"):
        importlib.import_module(name)
        return
    path = os.path.abspath(name)
    sys.path.insert(0, os.path.dirname(path))
    module = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(module, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    sys.modules[module] = made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m warmpool", description="Runs the tasks of modules, as a worker of warmpoold.")
    parser.add_argument("module", nargs="*", help="a module, by its name or as a file FILE.py")
    parser.add_argument("--types", action="store_true", help="print the task types of these modules, and end")
    parser.add_argument("--calls", action="store_true", help="run the calls of warmpool.Executor (task type python.call)")
    parser.add_argument("--start", metavar="FILE", help="with --calls: an initializer, which is called before this is ready")
    parser.add_argument("--name", default="python", help="the name that the daemon shows to people")
    parser.add_argument("--connect", action="store_true", help="join a daemon that runs and did not start this process")
    parser.add_argument("--socket", help="with --connect: of that daemon (default: where clients look for it)")
    parser.add_argument("--class", dest="worker_class", default="joined", help="with --connect: the class that this is a worker of")
    parser.add_argument("--concurrency", type=int, default=1, help="with --connect: tasks that it runs at once, 1 to 64")
    parser.add_argument("--once", action="store_true", help="with --connect: end with the daemon instead of waiting for the next")
    options = parser.parse_args(arguments)
    if not 1 <= options.concurrency <= TASKS_MAX:
        parser.error(f"--concurrency takes a whole number from 1 to {TASKS_MAX}")
    for module in options.module:
        load(module)
    if options.calls:
        from . import calls

        registry.tasks.update(calls.tasks().tasks)
        if options.start is not None:
            calls.begin(options.start)
    if options.types:
        print("\n".join(sorted(registry.tasks)))
        return 0
    if not registry.tasks:
        parser.error(f"no @task in {', '.join(options.module)}" if options.module else "name a module of tasks, or --calls")
    if options.connect:
        from .joining import Joining

        return Worker(name=options.name).join(
            Joining(options.socket, options.worker_class, options.concurrency, not options.once))
    return Worker(name=options.name).run()


if __name__ == "__main__":
    sys.exit(main())
