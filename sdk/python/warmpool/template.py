"""A template: a process that has imported what its workers need, and forks them when the daemon asks (docs/protocol.md, section 12).

A worker is the child of a child, so that the daemon becomes its parent: the process between the two gives the worker its mark,
tells the daemon its pidfd, and ends. Nothing is shared but memory: one thread, and no descriptor that a module has opened.
"""
from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import gc
import importlib
import os
import select
import socket
import sys
from typing import MutableMapping, NoReturn

VERSION = 1
PACKET_BYTES_MAX = 64 * 1024
DESCRIPTORS_MAX = 4
CHANNEL = 3  # of a worker
END_OF_FILE, PROTOCOL = 69, 76  # exit statuses, as a worker's
HOOKED, OTHER = 254, 255  # of the process between, where it is no errno
LIBC = ctypes.CDLL(None, use_errno=True)
NAME = "warm-template"  # as `ps` shows it


class Unfit(Exception):
    """This process cannot fork workers, now and later."""


def asked_for(environment: MutableMapping[str, str] = os.environ) -> bool:
    return "WARMPOOL_TEMPLATE" in environment


def serve(environment: MutableMapping[str, str] = os.environ) -> None:
    """Returns in every worker, whose environment says what it is. The template itself ends in here."""
    channel = socket.socket(fileno=int(environment.pop("WARMPOOL_TEMPLATE")))
    channel.set_inheritable(False)
    try:
        for name in filter(None, environment.pop("WARMPOOL_PRELOAD", "").split(",")):
            importlib.import_module(name)
        template = Template(channel, environment)
        template.check()
        channel.send(packet("ready", VERSION))
        template.serve()
    except Unfit as why:
        channel.send(packet("unfit", why))
        sys.exit(f"warmpool template: {why}")


def packet(*fields: object) -> bytes:
    return b"".join(str(field).encode("utf-8", "backslashreplace") + b"\0" for field in fields)


class Request:
    def __init__(self, data: bytes, descriptors: list[int]) -> None:
        fields = data.split(b"\0")
        if fields[0] != b"fork" or len(fields) < 4 or fields.pop() != b"":
            sys.exit("warmpool template: the daemon says what is none of docs/protocol.md, section 12")
        self.number, self.mark = fields[1].decode(), fields[2]
        self.environment = dict(os.fsdecode(entry).split("=", 1) for entry in fields[3:])
        self.descriptors = descriptors  # stdout, stderr, the channel unless it is opened by name


class Template:
    def __init__(self, channel: socket.socket, environment: MutableMapping[str, str]) -> None:
        self._channel, self._environment = channel, environment
        self._mark = Mark()
        self._daemon, self._name = os.getppid(), renamed(NAME)

    def check(self) -> None:
        """What is loaded stays out of the collector's sight, which would else write into every page of it."""
        check_threads()
        check_descriptors(self._channel.fileno())
        gc.collect()
        gc.freeze()

    def serve(self) -> None:
        """Returns in a worker."""
        while True:
            request = self._receive()
            check_threads()
            flush()
            if self._fork(request):
                return

    def _receive(self) -> Request:
        room = socket.CMSG_SPACE(DESCRIPTORS_MAX * array.array("i").itemsize)
        data, ancillary, _, _ = self._channel.recvmsg(PACKET_BYTES_MAX, room, socket.MSG_CMSG_CLOEXEC)
        if not data:
            os._exit(END_OF_FILE)
        descriptors = array.array("i")
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(content[:len(content) - len(content) % descriptors.itemsize])
        return Request(data, descriptors.tolist())

    def _fork(self, request: Request) -> bool:
        """True in the worker."""
        try:
            between = os.fork()
        except OSError as error:
            close_all(request.descriptors)
            self._channel.send(packet("failed", request.number, f"fork: {error.strerror}"))
            return False
        if between == 0:
            self._stand_between(request)
            return True
        close_all(request.descriptors)
        _, status = os.waitpid(between, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == HOOKED:
            raise Unfit("what a module has registered with os.register_at_fork starts threads or opens descriptors; let it do so in "
                        "warmpool.on_fork")
        if code == 0:
            self._channel.send(packet("done", request.number))
        else:
            how = errno.errorcode.get(code, f"its second process ended with {code}")
            self._channel.send(packet("failed", request.number, f"fork: {how}"))
        return False

    def _stand_between(self, request: Request) -> None:
        """Returns in the worker."""
        between = os.getpid()
        try:
            check_threads()  # what hooks have made here is not this process's to keep, and not the worker's
            check_descriptors(self._channel.fileno(), *request.descriptors)
            self._mark.overwrite(request.mark)
            worker = os.fork()
            if worker != 0:
                pidfd = os.pidfd_open(worker)
                socket.send_fds(self._channel, [packet("forked", request.number, worker)], [pidfd])
                os._exit(0)
        except Unfit:
            os._exit(HOOKED)
        except OSError as error:
            os._exit(error.errno or OTHER)
        except BaseException:  # nothing of the template's must go on here
            os._exit(OTHER)
        try:
            self._become_worker(request, between)
        except BaseException as error:  # neither must it here
            stop(f"cannot become a worker: {error!r}")

    def _become_worker(self, request: Request, between: int) -> None:
        os.setsid()
        take_descriptors(request.descriptors, self._channel)
        await_end(between)
        die_with_parent(self._daemon)
        renamed(self._name)
        self._environment.update(request.environment)
        if (directory := request.environment.get("WARMPOOL_DIRECTORY")) is not None:
            os.chdir(directory)
        reseed()


def take_descriptors(given: list[int], channel: socket.socket) -> None:
    """0 stays; 1, 2 and 3 are this worker's; there is nothing else."""
    channel.detach()
    lifted = [lift(descriptor) for descriptor in given]
    for target, descriptor in zip((1, 2, CHANNEL), lifted):
        os.dup2(descriptor, target)
    os.closerange(CHANNEL + (len(given) > 2), 2**31 - 1)


def lift(descriptor: int) -> int:
    """Out of the way of the numbers that are to be given."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, CHANNEL + 1)


def await_end(between: int) -> None:
    """Until the daemon is the parent. A pidfd says so, because children move on before it turns readable."""
    if os.getppid() != between:
        return
    try:
        pidfd = os.pidfd_open(between)
    except OSError:
        return
    if os.getppid() == between:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll()
    os.close(pidfd)


def die_with_parent(daemon: int) -> None:
    set_death_signal, sigkill = 1, 9
    if LIBC.prctl(set_death_signal, sigkill, 0, 0, 0) != 0:
        stop(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != daemon:
        stop("the daemon is gone")


def reseed() -> None:
    """Two workers never draw the same. `random`, `tempfile` and OpenSSL see to that at a fork by themselves. Generators that a module has
    made keep their state: who seeded one may count on it."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def stop(why: str) -> NoReturn:
    print(f"warmpool worker: {why}", file=sys.stderr, flush=True)
    os._exit(PROTOCOL)


def close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def flush() -> None:
    """What is still unwritten would be written by every worker again."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def check_threads() -> None:
    """A fork takes one thread along, and the locks of all as they are."""
    threads = os.listdir("/proc/self/task")
    if len(threads) > 1:
        names = sorted(first_line(f"/proc/self/task/{thread}/comm") for thread in threads if thread != str(os.getpid()))
        raise Unfit(f"the modules have started {len(threads) - 1} threads ({', '.join(names)}); let them do so in the first task, or in "
                    "warmpool.on_fork; numeric libraries: OPENBLAS_NUM_THREADS=1 in `environment` of the class")


def check_descriptors(*own: int) -> None:
    """One that is shared by all workers is nobody's; and a number that is closed under its owner is soon somebody else's."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # of the listing itself
            continue
        if int(name) > 2 and int(name) not in own:
            found.append(f"{name}: {target}")
    if found:
        raise Unfit(f"the modules have left descriptors open ({', '.join(found)}); let them open these in the first task, or in "
                    "warmpool.on_fork")


def first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().rstrip("\n")
    except OSError:
        return "?"


def renamed(name: str) -> str:
    """As people see this process; what it was before."""
    before = first_line("/proc/self/comm")
    with open("/proc/self/comm", "w", encoding="utf-8") as file:
        file.write(name)
    return before


class Mark:
    """The value of WARMPOOL_MARK where the kernel shows it in /proc/PID/environ: in the block that this program was started with."""

    NAME = b"WARMPOOL_MARK="

    def __init__(self) -> None:
        self._offset, self.value = self._find()
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b") ")[2].split()
        self._address = int(fields[50 - 3]) + self._offset  # env_start, proc(5)

    def _find(self) -> tuple[int, bytes]:
        with open("/proc/self/environ", "rb") as file:
            block = file.read()
        at = 0 if block.startswith(self.NAME) else block.find(b"\0" + self.NAME) + 1
        if at == 0 and not block.startswith(self.NAME):
            raise Unfit("WARMPOOL_MARK is not where it was at the start: a module writes over its process's environment")
        begin = at + len(self.NAME)
        return begin, block[begin:block.index(b"\0", begin)]

    def overwrite(self, value: bytes) -> None:
        if len(value) != len(self.value):
            raise OSError(errno.EINVAL, "a mark of another length")
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(self._address)
            memory.write(value)
        if self._find() != (self._offset, value):
            raise OSError(errno.EIO, "the mark cannot be written")

