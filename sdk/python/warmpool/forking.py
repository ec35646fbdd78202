"""What each worker has for itself: threads, open files, connections. Never in
os.register_at_fork: a template forks twice."""
from __future__ import annotations

from typing import Any, Callable, TypeVar

Hook = TypeVar("Hook", bound=Callable[[], Any])
hooks: list[Callable[[], Any]] = []
begun = False


def on_fork(hook: Hook) -> Hook:
    """Called once in each worker, before its first task, in the order added: in one that a template
    forks (`preload`) after the fork, once the daemon has welcomed it, so that processes which it
    starts belong to the worker; at its start in any other. Nothing beats meanwhile: in a forked
    worker it takes less than `dead_after`. Added later, as by a module that a task imports, it is
    called at once. May decorate a function. Where it raises the worker ends, or the task that added
    it fails."""
    if begun:
        hook()
    else:
        hooks.append(hook)
    return hook


def begin() -> None:
    """In a worker, once."""
    global begun
    while hooks:
        hooks.pop(0)()
    begun = True
