"""@task: a function becomes the handler of a task type."""
from __future__ import annotations

import fnmatch
import inspect
from typing import Any, Callable, Iterable, Optional

from . import content
from .wire import Buffer
from .words import Content

Function = Callable[..., Any]


class Task:
    """A handler and how its type is asked for. Calling it calls the function."""

    def __init__(self, name: str, function: Function, raw: bool, wishes: dict[str, Any]) -> None:
        self.name, self.function, self.raw, self.wishes = name, function, raw, wishes
        self.is_async = inspect.iscoroutinefunction(function)
        self._takes = what_it_takes(function)
        self.__doc__, self.__name__ = function.__doc__, getattr(function, "__name__", name)
        self.__wrapped__ = function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)

    def arguments(self, payload: Buffer, label: int, ctx: Any) -> tuple[Any, ...]:
        """Raises ValueError when the payload is not what its label says."""
        given: dict[str, Any] = {"ctx": ctx}
        if "payload" in self._takes:
            given["payload"] = payload if self.raw else content.decode(payload, label)
        return tuple(given[one] for one in self._takes)

    def result(self, value: Any) -> tuple[Buffer, Content]:
        return content.encode(value)


def what_it_takes(function: Function) -> tuple[str, ...]:
    """Nothing, the payload, the context (a sole parameter of the name ctx), or both."""
    positional = [each for each in inspect.signature(function).parameters.values()
                  if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = [each for each in positional if each.default is each.empty or each.name == "ctx"]
    if len(needed) > 2:
        raise TypeError(f"{function!r} needs {len(needed)} arguments; a handler takes (payload, ctx), (payload), (ctx) or ()")
    if len(needed) == 1 and needed[0].name == "ctx":
        return ("ctx",)
    return ("payload", "ctx")[:len(needed)]


class Registry:
    """The handlers of a program, by type. A name may hold * and ?; an exact one goes first, then the one made first."""

    def __init__(self, tasks: Iterable[Task] = ()) -> None:
        self.tasks: dict[str, Task] = {each.name: each for each in tasks}

    def add(self, made: Task) -> Task:
        self.tasks[made.name] = made
        return made

    def find(self, name: str) -> Optional[Task]:
        exact = self.tasks.get(name)
        if exact is not None:
            return exact
        for pattern, each in self.tasks.items():
            if ("*" in pattern or "?" in pattern) and fnmatch.fnmatchcase(name, pattern):
                return each
        return None


registry = Registry()


def task(name: Optional[str] = None, *, raw: bool = False, registry: Registry = registry,
         **wishes: Any) -> Callable[[Function], Task]:
    """Makes a function the handler of type `name` (without one: the function's own name).

    raw: it gets the payload as bytes, whatever its label. wishes: those of Client.submit (timeout, retries, priority ...),
    which hold when a client submits this Task instead of a name; the daemon sees to them, not the worker.
    """
    from .wishes import check  # what a submit may wish is the client's to know

    check(wishes)
    if callable(name):
        raise TypeError("write @task() or @task('name'), with its parentheses")
    return lambda function: registry.add(Task(name or function.__name__, function, raw, wishes))
