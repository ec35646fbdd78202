"""What the tests of the executor call, by import path."""
import os
import resource
import signal
import sys
import time

state = []


def double(number):
    return number * 2


def same(value):
    return value


class Plain:
    pass


def large_without_room(count):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    return b"x" * count


def forget_cloudpickle():
    sys.modules["cloudpickle"] = None


def keywords(first, /, second=2, *, third=3):
    return first, second, third


def divide(first, second):
    return first / second


def sleep(seconds, value=None):
    time.sleep(seconds)
    return value


def start_alone(path):
    """An initializer that fails in all workers but one."""
    open(path, "x").close()


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.005)
    return path


def pid(_=None):
    return os.getpid()


def die(how=signal.SIGKILL):
    os.kill(os.getpid(), how)
    time.sleep(60)


def leave(path):
    """Dies the first time."""
    try:
        with open(path, "x"):
            pass
    except FileExistsError:
        return "second"
    os._exit(7)


def start_first(path):
    """An initializer that ends each worker but the first."""
    try:
        with open(path, "x"):
            pass
    except FileExistsError:
        os._exit(7)


def note(path):
    with open(path, "a"):
        pass
    return path


def start(value):
    state.append(value)


def started(_=None):
    return list(state)


def has_open(directory):
    """Whether this process has a file of that directory open."""
    names = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    return any(name.startswith(directory) for name in names)


def bad_start():
    raise LookupError("the model is not there")


def surroundings(names):
    before = os.umask(0)
    os.umask(before)
    return {name: os.environ.get(name) for name in names}, os.getcwd(), before, sys.executable


def large(count):
    return b"x" * count


class TwoArguments(Exception):
    """Pickles, and does not come back."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def raises(error):
    raise error


def raises_two_arguments():
    raise TwoArguments("one", "two")


def leave_by_exit():
    sys.exit(3)


class NotThere:
    def __reduce__(self):
        return divide, (1, 0)


def not_there():
    return NotThere()


def unpicklable():
    return lambda: None


def in_main():
    return sys.modules["__main__"].__name__


def crash(*_):
    """As a fault in C would."""
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


class Reduced:
    """What pickling it calls, and what unpickling it calls."""

    def __init__(self, pickling=None, unpickling=None):
        self.calls = pickling, unpickling

    def __reduce__(self):
        pickling, unpickling = self.calls
        if pickling is not None:
            pickling()
        return (unpickling or double), (1,) if unpickling is None else ()


def crashes_when_pickled():
    return Reduced(pickling=crash)


def exits_when_pickled():
    return Reduced(pickling=leave_by_exit)


def exits_when_unpickled():
    return Reduced(unpickling=leave_by_exit)


class Tracked:
    """May be weakly referred to."""

    def method(self):
        return None


def tracked(_=None):
    return Tracked()


def chained():
    try:
        divide(1, 0)
    except ZeroDivisionError as error:
        raise LookupError("because of that") from error
