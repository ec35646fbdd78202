"""python3 -m warmpool MODULE...: a worker that runs the tasks of these modules."""
from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from typing import Optional, Sequence

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
    parser.add_argument("--name", default="python", help="the name that the daemon shows to people")
    options = parser.parse_args(arguments)
    for module in options.module:
        load(module)
    if options.calls:
        from . import calls

        registry.tasks.update(calls.tasks().tasks)
    if options.types:
        print("\n".join(sorted(registry.tasks)))
        return 0
    if not registry.tasks:
        parser.error(f"no @task in {', '.join(options.module)}" if options.module else "name a module of tasks, or --calls")
    return Worker(name=options.name).run()


if __name__ == "__main__":
    sys.exit(main())
