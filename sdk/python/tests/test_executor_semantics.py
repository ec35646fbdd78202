"""What users of concurrent.futures rely on without thinking of it: futures, waiting, references, races, forks, what is left behind.

The behaviours are those that CPython's own tests of its executors look at (3.11); README.md has those that cannot hold.
"""
import concurrent.futures
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from concurrent.futures.process import BrokenProcessPool

import functions
import pytest
from pool import HERE, PACKAGE, PATIENCE, eventually

import warmpool

ALL, FIRST, FIRST_EXCEPTION = concurrent.futures.ALL_COMPLETED, concurrent.futures.FIRST_COMPLETED, concurrent.futures.FIRST_EXCEPTION


@pytest.fixture(scope="module")
def pool():
    with warmpool.Executor(2) as made:
        yield made


@pytest.fixture
def gate(tmp_path):
    """Calls of functions.wait_for(gate.path) run until gate.open(), or until `with gate` ends, so that no test waits for ever."""

    class Gate:
        path = str(tmp_path / "gate")

        def open(self):
            open(self.path, "a").close()

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.open()

    made = Gate()
    yield made
    made.open()


def program(text, first=""):
    """A Python program of a user: its status, what it printed, what it complained of."""
    ended = subprocess.run([sys.executable, "-B", "-c", f"{first}\nimport functions, gc, os, sys, warmpool\n{text}"], text=True,
                           capture_output=True, timeout=120, env={**os.environ, "PYTHONPATH": f"{PACKAGE}:{HERE}"}, check=False)
    return ended.returncode, ended.stdout, ended.stderr


def descriptors():
    return set(os.listdir("/proc/self/fd"))


# Waiting.


def test_wait_for_all_takes_failures_and_cancels_for_completed(gate):
    with warmpool.Executor(1) as pool, gate:
        fails, holds = pool.submit(functions.divide, 1, 0), pool.submit(functions.wait_for, gate.path)
        rest = [pool.submit(functions.double, number) for number in range(3)]
        assert rest[-1].cancel()
        done, not_done = concurrent.futures.wait([holds, *rest], 0.05, return_when=ALL)
        assert holds in not_done
        gate.open()
        done, not_done = concurrent.futures.wait([fails, holds, *rest], PATIENCE, return_when=ALL)
        assert done == {fails, holds, *rest} and not not_done


def test_wait_for_the_first_returns_at_once_where_one_is_done(pool, gate):
    known = pool.submit(functions.double, 1)
    known.result(PATIENCE)
    holds = pool.submit(functions.wait_for, gate.path)
    assert concurrent.futures.wait([known, holds], PATIENCE, return_when=FIRST) == ({known}, {holds})
    failed = pool.submit(functions.divide, 1, 0)
    assert isinstance(failed.exception(PATIENCE), ZeroDivisionError)
    assert concurrent.futures.wait([failed, known, holds], PATIENCE, return_when=FIRST_EXCEPTION) == ({failed, known}, {holds})


def test_without_a_failure_the_first_exception_is_the_last_result(pool):
    futures = [pool.submit(functions.double, number) for number in range(10)]
    assert concurrent.futures.wait(futures, PATIENCE, return_when=FIRST_EXCEPTION).not_done == set()


def test_as_completed_without_patience_yields_what_is_done(pool, gate):
    known, holds = pool.submit(functions.double, 1), pool.submit(functions.wait_for, gate.path)
    known.result(PATIENCE)
    seen = []
    with pytest.raises(TimeoutError, match="1 .of 2. futures unfinished"):
        for future in concurrent.futures.as_completed([known, holds], timeout=0):
            seen.append(future)
    assert seen == [known]


def test_as_completed_yields_one_that_is_named_twice_once(pool):
    future = pool.submit(functions.double, 1)
    assert list(concurrent.futures.as_completed([future, future], PATIENCE)) == [future]


def test_wait_takes_futures_of_several_executors(pool):
    with warmpool.Executor(1) as other, concurrent.futures.ThreadPoolExecutor(1) as threads:
        futures = [each.submit(functions.double, 3) for each in (pool, other, threads)]
        assert {each.result() for each in concurrent.futures.wait(futures, PATIENCE).done} == {6}


# Futures.


def test_a_callback_sees_result_exception_or_cancel(gate):
    seen, ended = {}, threading.Semaphore(0)

    def note(future):
        seen[future] = "cancelled" if future.cancelled() else type(future.exception() or future.result())
        ended.release()

    with warmpool.Executor(1) as pool, gate:
        holds, fails = pool.submit(functions.wait_for, gate.path), pool.submit(functions.divide, 1, 0)
        late = pool.submit(functions.double, 1)
        for each in (holds, fails, late):
            each.add_done_callback(note)
        assert late.cancel() and seen == {late: "cancelled"}
        gate.open()
        assert all(ended.acquire(timeout=PATIENCE) for _ in range(3))
    assert seen == {holds: str, fails: ZeroDivisionError, late: "cancelled"}
    fails.add_done_callback(lambda future: seen.update(again=future))
    assert seen["again"] is fails  # has ended: called at once


def test_a_callback_that_raises_is_logged_and_harms_nothing(pool, gate, caplog):
    order, future = [], pool.submit(functions.wait_for, gate.path)
    ended = threading.Event()

    def raises(_):
        order.append("raises")
        raise LookupError("of a callback")

    future.add_done_callback(raises)
    future.add_done_callback(lambda _: (order.append("after"), ended.set()))
    gate.open()
    assert ended.wait(PATIENCE) and order == ["raises", "after"]
    assert "of a callback" in caplog.text and pool.submit(functions.double, 1).result(PATIENCE) == 2


def test_a_future_knows_its_state(gate):
    with warmpool.Executor(1) as pool, gate:
        holds, given, waits = (pool.submit(functions.wait_for, gate.path) for _ in range(3))
        assert holds.running() and not holds.done() and not holds.cancel()
        assert not waits.running() and waits.cancel() and waits.cancel() and waits.cancelled() and waits.done()
        with pytest.raises(concurrent.futures.CancelledError):
            waits.result(0)
        with pytest.raises(concurrent.futures.CancelledError):
            waits.exception(0)
        gate.open()
        assert given.result(PATIENCE) == gate.path and holds.done() and not holds.running() and not holds.cancel()


def test_an_exception_keeps_its_own_cause_in_the_remote_traceback(pool):
    error = pool.submit(functions.chained).exception(PATIENCE)
    assert type(error) is LookupError
    assert "ZeroDivisionError" in str(error.__cause__) and "direct cause" in str(error.__cause__)


# map.


def test_what_map_has_not_given_out_is_cancelled_when_it_times_out(gate):
    with warmpool.Executor(1) as pool, gate:
        submitted, submit = [], pool.submit
        pool.submit = lambda *what: submitted.append(submit(*what)) or submitted[-1]
        with pytest.raises(TimeoutError):
            list(pool.map(functions.wait_for, [gate.path] * 10, timeout=0.2))
        assert len(submitted) == 10 and [each.cancelled() for each in submitted] == [False] * 2 + [True] * 8
        gate.open()
        assert concurrent.futures.wait(submitted, PATIENCE).not_done == set()


def test_who_stops_listening_to_map_cancels_the_rest(gate):
    with warmpool.Executor(1) as pool, gate:
        submitted, submit = [], pool.submit
        pool.submit = lambda *what: submitted.append(submit(*what)) or submitted[-1]
        results = pool.map(functions.wait_for, [HERE, *[gate.path] * 10])
        assert next(results) == HERE
        results.close()
        assert all(each.cancelled() for each in submitted[3:])
        gate.open()


def test_map_ends_with_the_shortest_iterable(pool):
    assert list(pool.map(pow, range(5), [2, 2])) == [0, 1]
    assert list(pool.map(pow, range(5), [2, 2], chunksize=3)) == [0, 1]


def test_a_result_that_was_yielded_is_not_kept(pool):
    for chunksize in (1, 4):
        for result in pool.map(functions.tracked, range(10), chunksize=chunksize):
            reference = weakref.ref(result)
            del result
            # The thread that brought it may be a line from letting go of it.
            eventually(lambda: gc.collect() >= 0 and reference() is None, "nobody keeps it")


def test_what_was_submitted_is_not_kept(pool):
    thing, gone = functions.Tracked(), threading.Event()
    reference = weakref.ref(thing, lambda _: gone.set())
    pool.submit(thing.method).result(PATIENCE)
    del thing
    eventually(lambda: gc.collect() >= 0 and reference() is None, "nobody keeps it")
    assert gone.is_set()


# Faults.


@pytest.mark.parametrize("function, argument, error", [
    (functions.crash, None, BrokenProcessPool),
    (functions.double, functions.Reduced(unpickling=functions.crash), BrokenProcessPool),
    (functions.tracked, functions.Reduced(unpickling=functions.leave_by_exit), SystemExit),
    (functions.tracked, functions.Reduced(pickling=functions.bad_start), LookupError)])
def test_a_call_that_cannot_be_made_fails_alone(pool, function, argument, error):
    beside = [pool.submit(functions.double, number) for number in range(10)]
    assert isinstance(pool.submit(function, argument).exception(PATIENCE), error)
    assert [each.result(PATIENCE) for each in beside] == list(range(0, 20, 2))


@pytest.mark.parametrize("function, error", [
    (functions.crashes_when_pickled, BrokenProcessPool), (functions.exits_when_pickled, SystemExit),
    (functions.exits_when_unpickled, SystemExit)])
def test_a_result_that_cannot_travel_fails_alone(pool, function, error):
    assert isinstance(pool.submit(function).exception(PATIENCE), error)
    assert pool.submit(functions.double, 4).result(PATIENCE) == 8


def test_shutdown_waits_for_a_call_that_kills_its_worker():
    with warmpool.Executor(2) as pool:
        dies = pool.submit(functions.crash)
        unpicklable = pool.submit(functions.double, threading.Lock())
        pool.shutdown()
    assert isinstance(dies.exception(0), BrokenProcessPool) and isinstance(unpicklable.exception(0), TypeError)


def test_workers_that_die_one_after_another_cost_their_own_calls_only():
    with warmpool.Executor(2) as pool:
        futures = [pool.submit(functions.crash if number % 10 == 5 else functions.double, number) for number in range(40)]
        for number, future in enumerate(futures):
            if number % 10 == 5:
                assert isinstance(future.exception(PATIENCE), warmpool.WorkerDied)
            else:
                assert future.result(PATIENCE) == number * 2


# Many, and from many threads.


def test_many_short_calls(pool):
    futures = [pool.submit(functions.double, number) for number in range(3000)]
    assert sum(each.result(PATIENCE) for each in futures) == 2 * sum(range(3000))


def test_threads_that_submit_while_another_shuts_down_lose_nothing():
    pool, taken, refused = warmpool.Executor(2), [[] for _ in range(4)], threading.Semaphore(0)

    def submits(mine):
        try:
            while True:
                mine.append(pool.submit(functions.double, len(mine)))
                if len(mine) > 200:
                    mine[-200].result(PATIENCE)
        except RuntimeError:
            refused.release()

    threads = [threading.Thread(target=submits, args=(mine,)) for mine in taken]
    for each in threads:
        each.start()
    eventually(lambda: all(len(mine) > 20 for mine in taken), "all submit")
    pool.shutdown()
    assert all(refused.acquire(timeout=PATIENCE) for _ in threads)
    for each in threads:
        each.join()
    for mine in taken:
        assert [each.result(0) for each in mine] == [2 * number for number in range(len(mine))]


def test_two_executors_know_nothing_of_each_other():
    with warmpool.Executor(1, initializer=functions.start, initargs=("one",)) as one, warmpool.Executor(1) as two:
        assert one.submit(functions.started).result(PATIENCE) == ["one"]
        one.shutdown()
        assert two.submit(functions.started).result(PATIENCE) == []


def test_the_context_ends_the_pool_and_passes_its_exception_on():
    with pytest.raises(KeyError):
        with warmpool.Executor(1) as pool:
            future = pool.submit(functions.sleep, 0.05, "ran")
            raise KeyError("of the body")
    assert future.result(0) == "ran"
    with pytest.raises(RuntimeError):
        pool.submit(functions.double, 1)


# What is left behind.


def test_nothing_is_left_in_this_process():
    with warmpool.Executor(1) as first:  # what is opened once and for all
        first.submit(functions.double, 1).result(PATIENCE)
    gc.collect()
    before, threads = descriptors(), threading.active_count()
    for _ in range(5):
        with warmpool.Executor(1) as pool:
            pool.submit(functions.double, 1).result(PATIENCE)
            pool.submit(functions.crash)
    del pool
    gc.collect()
    eventually(lambda: threading.active_count() <= threads, "its threads have ended")
    assert descriptors() <= before


@pytest.mark.parametrize("ending", ["sys.exit(0)", "del pool; gc.collect(); os._exit(0)", "pool.shutdown(); os._exit(0)"])
@pytest.mark.parametrize("busy", [False, True])
def test_the_end_of_a_forked_child_is_not_the_end_of_the_pool(ending, busy):
    status, said, complained = program(f"""
pool = warmpool.Executor(1)
pool.submit(functions.double, 1).result()
slow = pool.submit(functions.sleep, {1 if busy else 0}, "slow")
{'' if busy else 'slow.result()'}
if (child := os.fork()) == 0:
    {ending}
print(os.waitpid(child, 0)[1], slow.result(), pool.submit(functions.double, 2).result())
""")
    assert (status, said, complained) == (0, "0 slow 4\n", "")


def test_a_forked_child_is_told_to_make_its_own():
    status, said, complained = program("""
pool = warmpool.Executor(1)
pool.submit(functions.double, 1).result()
if (child := os.fork()) == 0:
    try:
        pool.submit(functions.double, 2)
    except RuntimeError as error:
        print(error, flush=True)
    with warmpool.Executor(1) as own:
        print(own.submit(functions.double, 3).result(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(pool.submit(functions.double, 4).result())
""")
    assert status == 0 and not complained
    assert said.splitlines()[0].startswith("cannot schedule new futures in a forked process") and said.splitlines()[1:] == ["6", "8"]


def test_at_the_end_of_the_interpreter_nothing_new_is_taken():
    status, said, complained = program("""
pool = warmpool.Executor(1)
print(pool.submit(functions.double, 21).result())
""", first="""
import atexit
@atexit.register
def last():  # runs after what is registered later, by the import
    for call in (lambda: pool.submit(functions.double, 1), lambda: warmpool.Executor(1)):
        try:
            call()
        except RuntimeError as error:
            print(error)
""")
    assert (status, complained) == (0, "")
    assert said.splitlines() == ["42", "cannot schedule new futures after shutdown", "cannot make an executor at interpreter shutdown"]


def test_shutdown_without_waiting_does_not_hang_the_end_of_the_interpreter(tmp_path):
    status, said, complained = program(f"""
pool = warmpool.Executor(1)
pool.submit(functions.sleep, 0.3)
pool.submit(functions.note, {str(tmp_path / "noted")!r})
print(pool._daemon.directory)
pool.shutdown(wait=False)
""")
    assert (status, complained) == (0, "") and os.path.exists(tmp_path / "noted") and not os.path.exists(said.strip())


def test_a_signal_to_the_program_ends_it_and_its_pool():
    running = subprocess.Popen([sys.executable, "-B", "-c", "import functions, warmpool, sys\npool = warmpool.Executor(1)\n"
                                "print(pool._daemon.directory, pool.submit(functions.pid).result(), flush=True)\n"
                                "sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": f"{PACKAGE}:{HERE}"})
    directory, worker = running.stdout.readline().split()
    running.send_signal(signal.SIGINT)
    assert running.wait(PATIENCE) != 0
    running.stdin.close()
    running.stdout.close()
    eventually(lambda: not os.path.exists(f"/proc/{worker}"), "its worker is gone")
    assert not os.path.exists(directory)


def test_workers_have_nothing_of_this_process(pool):
    with open(os.devnull, "rb") as file:
        os.set_inheritable(file.fileno(), True)
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        with warmpool.Executor(1) as other:
            other.submit(functions.double, 1).result(PATIENCE)
            os.close(writer)
            assert os.read(reader, 1) == b""  # nobody else holds the other end
    os.close(reader)


def test_without_a_number_there_is_a_worker_for_each_core(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    with warmpool.Executor() as pool:
        names = {pool.submit(functions.sleep, 0, each) for each in range(3)}
        assert concurrent.futures.wait(names, PATIENCE).not_done == set()
        with warmpool.Client(pool._daemon.socket) as client:
            assert len(client.workers()) == 3
