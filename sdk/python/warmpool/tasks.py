"""@task: a function becomes the handler of a task type."""
from __future__ import annotations

import fnmatch
import functools
import inspect
import itertools
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
        self._takes_payload = any("payload" in roles for roles in (self._takes[0], self._takes[1].values()))
        self.__doc__, self.__name__ = function.__doc__, getattr(function, "__name__", name)
        self.__wrapped__ = function

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)

    def bound(self, payload: Buffer, label: int, ctx: Any) -> Callable[[], Any]:
        """The call. Raises ValueError when the payload is not what its label says."""
        places, names = self._takes
        given = {"ctx": ctx}
        if self._takes_payload:
            given["payload"] = payload if self.raw else content.decode(payload, label)
        return functools.partial(self.function, *[given[role] for role in places], **{name: given[role] for name, role in names.items()})

    def result(self, value: Any) -> tuple[Buffer, Content]:
        return content.encode(value)


def what_it_takes(function: Function) -> tuple[list[str], dict[str, str]]:
    """What is given by place, and what by name. The context goes to the parameter `ctx`, wherever that is, else to a second one without a
    default; the payload to the first other."""
    parameters = [each for each in inspect.signature(function).parameters.values() if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    places = [each for each in parameters if each.kind != each.KEYWORD_ONLY]
    roles = {each.name: "ctx" for each in parameters if each.name == "ctx"}
    others = [each for each in places if each.name not in roles]
    if others:
        roles[others[0].name] = "payload"
    if "ctx" not in roles and len(others) > 1 and others[1].default is inspect.Parameter.empty:
        roles[others[1].name] = "ctx"
    if any(each.default is each.empty and each.name not in roles for each in parameters):
        raise TypeError(f"{function!r} needs {len(parameters)} arguments; a handler takes (payload, ctx), (payload), (ctx) or ()")
    taken = itertools.takewhile(lambda each: each.name in roles, places)
    return [roles.pop(each.name) for each in taken], roles


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
