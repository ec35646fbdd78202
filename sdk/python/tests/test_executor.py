"""What the standard library's tests ask of a ProcessPoolExecutor, asked of warmpool.Executor."""
import asyncio
import concurrent.futures
import functools
import itertools
import operator
import pickle
import signal
import sys
import threading
import typing
from concurrent.futures.process import BrokenProcessPool

import functions
import pytest

import warmpool
from warmpool import calls
from warmpool.calls import RemoteError


@pytest.fixture(scope="module")
def pool():
    with warmpool.Executor(2) as made:
        yield made


def test_it_is_an_executor_and_its_futures_are_futures(pool):
    assert isinstance(pool, concurrent.futures.Executor)
    assert type(pool.submit(pow, 2, 8)) is concurrent.futures.Future


def test_submit(pool):
    assert pool.submit(pow, 2, 8).result() == 256
    assert pool.submit(functions.keywords, 1, third=5).result() == (1, 2, 5)
    assert pool.submit(functools.partial(operator.mul, 3), 5).result() == 15
    assert pool.submit("text".upper).result() == "TEXT"
    with pytest.raises(TypeError):
        pool.submit()


def test_a_function_of_any_keyword_name_can_be_called(pool):
    assert pool.submit(dict, self=1, fn=2).result() == {"self": 1, "fn": 2}


def test_map_keeps_the_order(pool):
    assert list(pool.map(pow, range(10), range(10))) == list(map(pow, range(10), range(10)))
    assert list(pool.map(functions.sleep, [0.2, 0, 0], "abc")) == ["a", "b", "c"]
    assert list(pool.map(functions.double, [])) == []


@pytest.mark.parametrize("chunksize", [1, 6, 7, 50, 1000])
def test_map_in_chunks_is_the_same(pool, chunksize):
    assert list(pool.map(pow, range(50), range(50), chunksize=chunksize)) == list(map(pow, range(50), range(50)))


def test_a_chunk_is_at_least_one(pool):
    with pytest.raises(ValueError, match="chunksize"):
        list(pool.map(functions.double, range(3), chunksize=0))


@pytest.mark.parametrize("chunksize", [1, 2])
def test_map_raises_where_the_exception_was(pool, chunksize):
    results = pool.map(functions.divide, [4, 4, 1, 1], [2, 2, 0, 1], chunksize=chunksize)
    assert [next(results), next(results)] == [2, 2]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_map_times_out_with_what_came_before(pool, tmp_path):
    known, never = str(tmp_path), str(tmp_path / "later")
    seen = []
    with pytest.raises(TimeoutError):
        for value in pool.map(functions.wait_for, [known, known, never], timeout=2):
            seen.append(value)
    open(never, "x").close()
    assert seen == [known, known]


def test_map_reads_its_iterables_at_once(pool):
    drawn = []
    pool.map(functions.double, (drawn.append(number) or number for number in range(5)))
    assert drawn == list(range(5))


def test_a_result_that_is_not_there_in_time(pool):
    future = pool.submit(functions.sleep, 0.5, "late")
    with pytest.raises(TimeoutError):
        future.result(0.01)
    with pytest.raises(TimeoutError):
        future.exception(0.01)
    assert future.result() == "late"


def test_an_exception_has_the_remote_traceback_as_its_cause(pool):
    future = pool.submit(functions.divide, 1, 0)
    with pytest.raises(ZeroDivisionError, match="division by zero") as caught:
        future.result()
    assert future.exception() is caught.value
    assert "return first / second" in str(caught.value.__cause__) and "in divide" in str(caught.value.__cause__)


@pytest.mark.parametrize("error", [ValueError("a", 1), KeyError("k"), StopIteration(3), KeyboardInterrupt(), OSError(2, "none")])
def test_any_exception_comes_back(pool, error):
    back = pool.submit(functions.raises, error).exception()
    assert type(back) is type(error) and back.args == error.args


def test_an_exit_is_an_exception_and_the_worker_goes_on(pool):
    before = {pool.submit(functions.pid).result() for _ in range(10)}
    assert isinstance(pool.submit(functions.leave_by_exit).exception(), SystemExit)
    assert {pool.submit(functions.pid).result() for _ in range(10)} <= before | {pool.submit(functions.pid).result()}


def test_what_cannot_travel_fails_its_own_call_only(pool):
    assert "pickle" in str(pool.submit(functions.double, threading.Lock()).exception())
    assert isinstance(pool.submit(functions.raises_two_arguments).exception(), RemoteError)
    assert "one two" in str(pool.submit(functions.raises_two_arguments).exception())
    assert isinstance(pool.submit(functions.not_there).exception(), ZeroDivisionError)
    assert pool.submit(functions.double, 2).result() == 4


def test_what_no_frame_can_have_goes_all_the_same(pool):
    assert pool.submit(len, b"x" * (15 << 20)).result() == 15 << 20
    assert pool.submit(len, b"x" * (17 << 20)).result() == 17 << 20
    assert len(pool.submit(functions.large, 17 << 20).result()) == 17 << 20
    assert pool.submit(functions.double, 2).result() == 4


def test_lambdas_and_closures_go_by_value(pool):
    pytest.importorskip("cloudpickle")
    base = 7
    assert list(pool.map(lambda number: number + base, range(3))) == [7, 8, 9]
    assert pool.submit(functions.unpicklable).result()() is None


def test_without_cloudpickle_it_says_what_to_do(pool, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cloudpickle", None)
    assert isinstance(pool.submit(lambda: 1).exception(), (AttributeError, __import__("pickle").PicklingError))
    monkeypatch.setattr(functions.double, "__module__", "__main__")
    monkeypatch.setattr(__import__("__main__"), "double", functions.double, raising=False)
    assert "install cloudpickle" in str(pool.submit(functions.double, 1).exception())


def test_text_about_main_is_text(monkeypatch):
    """Neither end has cloudpickle."""
    monkeypatch.setitem(__import__("sys").modules, "cloudpickle", None)
    source = 'if __name__ == "__main__":\n    main()\n'
    with warmpool.Executor(1, initializer=functions.forget_cloudpickle) as pool:
        assert pool.submit(functions.same, {"source": source}).result(60) == {"source": source}
        assert pool.submit(functions.raises, ValueError(source)).exception(60).args == (source,)
        assert list(pool.map(functions.same, [source] * 3, chunksize=2)) == [source] * 3
        monkeypatch.setattr(functions.Plain, "__module__", "__main__")
        monkeypatch.setattr(__import__("__main__"), "Plain", functions.Plain, raising=False)
        assert "Plain is defined in __main__" in str(pool.submit(functions.same, [functions.Plain()]).exception(60))


@pytest.mark.parametrize("made", [typing.TypeVar("Own"), typing.NewType("Own", int)], ids=["TypeVar", "NewType"])
def test_what_goes_by_its_name_in_main_is_refused(monkeypatch, made):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    monkeypatch.setattr(made, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Own", made, raising=False)
    with pytest.raises(pickle.PicklingError, match="Own is defined in __main__"):
        calls.dump([made])


def test_wait_and_as_completed(pool, tmp_path):
    path = str(tmp_path / "go")
    slow, quick, fails = pool.submit(functions.wait_for, path), pool.submit(functions.double, 1), pool.submit(functions.divide, 1, 0)
    done, not_done = concurrent.futures.wait([slow, quick], 60, return_when=concurrent.futures.FIRST_COMPLETED)
    assert (done, not_done) == ({quick}, {slow})
    done, not_done = concurrent.futures.wait([slow, fails], 60, return_when=concurrent.futures.FIRST_EXCEPTION)
    assert (done, not_done) == ({fails}, {slow})
    order = concurrent.futures.as_completed([slow, quick], 60)
    assert next(order) is quick
    open(path, "x").close()
    assert next(order) is slow
    assert concurrent.futures.wait([slow, quick, fails]).not_done == set()


def test_asyncio_can_use_it(pool):
    async def body():
        return await asyncio.get_running_loop().run_in_executor(pool, functions.double, 21)

    assert asyncio.run(body()) == 42


def test_callbacks_are_called_once_also_when_they_submit(pool):
    seen, done = [], threading.Event()

    def called(future):
        seen.append(future.result())
        if len(seen) < 5:
            pool.submit(functions.double, len(seen)).add_done_callback(called)
        else:
            done.set()

    pool.submit(functions.double, 0).add_done_callback(called)
    assert done.wait(60) and seen == [0, 2, 4, 6, 8]


def test_what_was_not_given_to_a_worker_can_be_cancelled(tmp_path):
    path = str(tmp_path / "go")
    with warmpool.Executor(2) as pool:
        futures = [pool.submit(functions.wait_for, path) for _ in range(12)]
        cancelled = [each.cancel() for each in futures]
        assert cancelled == [False] * 3 + [True] * 9  # two workers, and one more so that none waits
        open(path, "x").close()
        assert concurrent.futures.wait(futures, 60).not_done == set()
        assert [each.cancelled() for each in futures] == cancelled
        assert not futures[0].cancel() and futures[0].result() == path


def test_one_process_serves_many_calls(pool):
    pool.submit(functions.double, 1).result()
    assert len(set(pool.map(functions.pid, range(100)))) <= 2


def test_threads_may_share_it(pool):
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda number: pool.submit(functions.double, number).result(), range(100))) == \
            [2 * number for number in range(100)]


def test_a_killed_worker_fails_its_own_call_only():
    with warmpool.Executor(2) as pool:
        innocent = pool.submit(functions.sleep, 1, "whole")
        victim = pool.submit(functions.die)
        later = [pool.submit(functions.double, number) for number in range(20)]
        with pytest.raises(warmpool.WorkerDied) as caught:
            victim.result(60)
        assert isinstance(caught.value, BrokenProcessPool)
        assert innocent.result(60) == "whole"
        assert [each.result(60) for each in later] == [2 * number for number in range(20)]
        assert pool.submit(functions.double, 4).result(60) == 8


def test_only_a_death_is_called_one():
    with warmpool.Executor(1) as pool:
        before = pool.submit(functions.pid).result(60)
        error = pool.submit(functions.large_without_room, 17 << 20).exception(60)
        assert type(error) is warmpool.TaskDead and "cannot be handed over" in str(error)
        assert pool.submit(functions.pid).result(60) == before
        assert isinstance(pool.submit(functions.die, signal.SIGTERM).exception(60), warmpool.WorkerDied)


def test_a_killed_worker_may_cost_a_retry_instead(tmp_path):
    with warmpool.Executor(1, crashes_max=2) as pool:
        assert pool.submit(functions.leave, str(tmp_path / "once")).result(60) == "second"


def test_a_call_may_have_a_timeout():
    with warmpool.Executor(1, timeout=0.2) as pool:
        assert isinstance(pool.submit(functions.sleep, 600).exception(60), TimeoutError)
        assert pool.submit(functions.double, 1).result(60) == 2


def test_a_callback_that_raises_what_is_no_exception_ends_nothing(pool, tmp_path):
    called = threading.Event()

    def leave(_):
        called.set()
        raise SystemExit(3)

    path = tmp_path / "go"  # to one that is done already it would be this thread's
    futures = [pool.submit(functions.wait_for, str(path)) for _ in range(20)]
    for future in futures:
        future.add_done_callback(leave)
    path.touch()
    assert {future.result(60) for future in futures} == {str(path)}
    assert called.wait(60)
    assert pool.submit(functions.double, 21).result(60) == 42


def test_a_call_that_cannot_be_given_fails_alone(pool, monkeypatch):
    def give(*_):
        raise MemoryError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(pool._pump._client, "give", give)
        assert isinstance(pool.submit(functions.double, 1).exception(60), MemoryError)
    assert not pool._pump._given
    assert pool.submit(functions.double, 2).result(60) == 4
