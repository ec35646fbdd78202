"""Who reads the channel of a worker: the main thread, or the watcher while a handler runs long."""
import random
import socket
import threading
import time

import pytest
from pool import eventually
from warmpool import wire
from warmpool.session import Session
from warmpool.start import Start
from warmpool.streams import SocketStream
from warmpool.watcher import LOOKS_IDLE, State, Watcher
from warmpool.wire import Frame
from warmpool.words import Kind

LONG = 60  # seconds; of whatever is waited for


@pytest.fixture
def ends():
    near, far = socket.socketpair()
    far.settimeout(LONG)
    session = Session(Start(SocketStream(near), 1, 1), "test")
    session.channel.body_bytes_max = 1 << 20
    yield session, far
    session.close()
    far.close()


def assigned(far, number, timeout):
    """One attempt: nanoseconds of its timeout."""
    far.sendall(Frame(Kind.ASSIGN, id=number, token=number, round=1, attempt=1, type=0, meta=[timeout]).encode())


def ping(far):
    far.sendall(Frame(Kind.PING, token=7).encode())


def pong(far):
    data = far.recv(1 << 16)
    return wire.decode(data, 0, wire.body_bytes(data, 0, 1 << 20))


def is_parked(watcher):
    return watcher._state is State.PARKED


def test_a_long_run_is_watched_and_what_it_leaves_is_the_main_threads(ends):
    session, far = ends
    watcher = Watcher()
    watcher.lend(session)
    ping(far)
    assert pong(far).token == 7  # nobody else reads
    watcher.reclaim()
    ping(far)
    assert watcher._state is State.MAIN
    session.attend(session._ear, LONG)
    assert pong(far).token == 7


def test_one_run_after_another_may_be_watched(ends):
    session, far = ends
    watcher = Watcher()
    for _ in range(5):
        watcher.lend(session)
        ping(far)
        assert pong(far).token == 7
        watcher.reclaim()


def test_the_watcher_sleeps_when_there_are_no_tasks_and_the_next_one_wakes_it(ends):
    session, far = ends
    watcher = Watcher()
    for _ in range(3):
        watcher.lend(session)
        watcher.reclaim()
        eventually(lambda: is_parked(watcher), f"it has looked {LOOKS_IDLE} times for nothing")
    watcher.lend(session)
    assert not is_parked(watcher)
    ping(far)
    assert pong(far).token == 7
    watcher.reclaim()


def test_who_waits_for_the_channel_is_not_left_alone_when_the_watcher_cannot_go_on(ends, monkeypatch):
    session, far = ends
    watcher, failed = Watcher(), threading.Event()

    def attend(*_):
        failed.set()
        raise MemoryError("no more")

    monkeypatch.setattr(session, "attend", attend)
    watcher.lend(session)
    assert failed.wait(LONG)
    main = threading.Thread(target=watcher.reclaim, daemon=True)
    main.start()
    main.join(LONG)
    assert not main.is_alive() and watcher._state is State.MAIN
    assert session.gone and "no more" in session.fault


def test_short_runs_in_a_row_are_never_left_with_the_channel_in_two_hands(ends):
    """The main thread takes it back at any moment of the watcher's taking it."""
    session, far = ends
    watcher, stop, came = Watcher(), threading.Event(), []

    def answers():
        while not stop.is_set():
            ping(far)
            came.append(pong(far).token)

    asker = threading.Thread(target=answers)
    asker.start()
    draw = random.Random(7)
    for run in range(300):
        watcher.lend(session)
        seen = len(came)
        if run % 3 == 0:
            eventually(lambda seen=seen: len(came) > seen, "the watcher answers")
        else:
            time.sleep(draw.uniform(0.004, 0.006))  # about when the watcher takes it
        watcher.reclaim()
        assert watcher._state is State.MAIN and watcher._returns.empty()
        session.attend(session._ear, 0)
    stop.set()
    while asker.is_alive():
        session.attend(session._ear, 0)
    assert set(came) == {7} and session.fault is None


def test_the_time_of_one_that_was_given_ahead_begins_when_it_does(ends):
    session, far = ends
    far.sendall(Frame(Kind.TYPE_NAME, type=0, meta=["any"]).encode())
    for number in (1, 2):
        assigned(far, number, 10**9)
    session.attend(session._ear, LONG)
    first = session.next()
    assert session.next() is None
    session.answer(first, Kind.DONE, b"", 0)
    now = time.monotonic()
    assert session.next().ctx.deadline >= now + 1
