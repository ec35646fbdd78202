"""How an executor begins and ends: initializer, shutdown, the daemon behind it."""
import concurrent.futures
import gc
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures.process import BrokenProcessPool

import functions
import pytest
from pool import HERE, PACKAGE, Pool, eventually

import warmpool
from warmpool import asking, executor, private_daemon


def program(text, **environment):
    """A Python program of a user."""
    return subprocess.Popen([sys.executable, "-B", "-c", "import functions, warmpool, sys, os\n" + text], stdout=subprocess.PIPE,
                            text=True, env={**os.environ, "PYTHONPATH": f"{PACKAGE}:{HERE}", **environment})


def processes_of(directory):
    """Which processes name this directory in their command or their environment, or are its daemon's children."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if directory.encode() in file.read():
                    found.add(int(pid))
        except OSError:
            pass
    return found


@pytest.mark.parametrize("arguments, error", [
    ({"max_workers": 0}, ValueError), ({"max_workers": -1}, ValueError), ({"initializer": 5}, TypeError),
    ({"max_tasks_per_child": 0}, ValueError), ({"max_tasks_per_child": 1.5}, TypeError), ({"mp_context": object()}, ValueError)])
def test_wrong_arguments_are_found_at_once(arguments, error):
    with pytest.raises(error):
        warmpool.Executor(**arguments)


def test_the_initializer_runs_once_in_each_worker():
    with warmpool.Executor(2, initializer=functions.start, initargs=("loaded",)) as pool:
        assert list(pool.map(functions.started, range(20))) == [["loaded"]] * 20


def test_workers_inherit_nothing_that_this_process_has_made(tmp_path):
    """What is in README.md as a difference: an initializer makes it."""
    functions.state.append("of the parent")
    try:
        with open(tmp_path / "open", "w", encoding="utf-8") as file:
            os.set_inheritable(file.fileno(), True)
            with warmpool.Executor(1) as pool:
                assert pool.submit(functions.started).result(60) == []
                assert pool.submit(functions.has_open, str(tmp_path)).result(60) is False
            with warmpool.Executor(1, initializer=functions.start, initargs=(functions.state[-1],)) as pool:
                assert pool.submit(functions.started).result(60) == ["of the parent"]
    finally:
        functions.state.remove("of the parent")


def test_what_an_initializer_is_given_has_to_travel():
    for arguments in ((threading.Lock(),), ((each for each in ()),)):
        with pytest.raises(TypeError, match="pickle"):
            warmpool.Executor(1, initializer=functions.start, initargs=arguments)


def test_the_time_of_the_initializer_is_no_calls():
    with warmpool.Executor(1, timeout=1.5, initializer=functions.sleep, initargs=(2,)) as pool:
        assert pool.submit(functions.double, 1).result(60) == 2


def test_a_pool_whose_initializer_never_ends_may_be_shut_down():
    pool = warmpool.Executor(1, initializer=functions.sleep, initargs=(600,))
    future = pool.submit(functions.double, 1)
    waiting = [pool.submit(functions.double, 1) for _ in range(5)]
    os.kill(pool._daemon._process.pid, signal.SIGTERM)
    with pytest.raises(BrokenProcessPool):
        future.result(60)
    pool.shutdown(cancel_futures=True)
    assert all(each.done() for each in waiting) and not os.path.exists(pool._daemon.directory)


def test_an_initializer_that_fails_breaks_the_pool(caplog):
    with warmpool.Executor(1, initializer=functions.bad_start) as pool:
        futures = [pool.submit(functions.double, 1) for _ in range(5)]
        for each in futures:
            with pytest.raises(BrokenProcessPool, match="the model is not there"):
                each.result(60)
        with pytest.raises(BrokenProcessPool):
            pool.submit(functions.double, 1)
    assert "Exception in initializer" in caplog.text


def test_a_pool_that_breaks_ends_what_runs(tmp_path):
    with warmpool.Executor(2, initializer=functions.start_alone, initargs=(str(tmp_path / "first"),)) as pool:
        running = [pool.submit(functions.sleep, 600) for _ in range(2)]
        for each in running:
            with pytest.raises(BrokenProcessPool, match="FileExistsError"):
                each.result(60)
        eventually(lambda: not processes_of(pool._daemon.directory), "daemon and workers have ended, before any shutdown")


def test_a_worker_is_replaced_after_max_tasks_per_child():
    with warmpool.Executor(1, max_tasks_per_child=3) as pool:
        eventually(lambda: pool.submit(functions.pid).result(60) != pool.submit(functions.pid).result(60), "it is replaced")


def test_a_worker_finds_what_a_child_would(monkeypatch, tmp_path):
    odd = {"ODD_ONE": 'a "quoted" \\ $HOME ${HOME} \n\t\x7f ü =', "ODD_TWO": "", "POOL_SIZE": "7"}
    for name, value in odd.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o027)
    try:
        with warmpool.Executor(1) as pool:
            seen, directory, mask, executable = pool.submit(functions.surroundings, list(odd)).result(60)
            assert len(set(pool.map(functions.pid, range(20)))) == 1  # POOL_SIZE is not for it
    finally:
        os.umask(before)
    assert (seen, directory, mask, executable) == (odd, str(tmp_path), 0o027, sys.executable)


def test_nothing_is_taken_after_shutdown():
    pool = warmpool.Executor(1)
    pool.shutdown()
    for call in (lambda: pool.submit(functions.double, 1), lambda: pool.map(functions.double, [1])):
        with pytest.raises(RuntimeError, match="after shutdown"):
            call()
    pool.shutdown()  # again: nothing to do


def test_shutdown_waits_for_what_was_submitted_and_leaves_nothing():
    pool = warmpool.Executor(2)
    directory = pool._daemon.directory
    assert processes_of(directory)
    futures = [pool.submit(functions.sleep, 0.1, number) for number in range(10)]
    pool.shutdown()
    assert [each.result(0) for each in futures] == list(range(10))
    assert not os.path.exists(directory) and not processes_of(directory)


def test_shutdown_without_waiting_finishes_all_the_same(tmp_path):
    pool, path = warmpool.Executor(1), str(tmp_path / "go")
    directory = pool._daemon.directory
    futures = [pool.submit(functions.wait_for, path) for _ in range(5)]
    pool.shutdown(wait=False)
    assert not any(each.done() for each in futures)
    open(path, "x").close()
    assert [each.result(60) for each in futures] == [path] * 5
    eventually(lambda: not os.path.exists(directory), "the daemon is gone")


def test_a_callback_that_shuts_down_and_waits_is_told_that_it_cannot():
    pool, said = warmpool.Executor(1), []

    def shuts(_):
        try:
            pool.shutdown()
        except RuntimeError as error:
            said.append(str(error))

    directory, first = pool._daemon.directory, pool.submit(functions.sleep, 0.2)
    first.add_done_callback(shuts)
    rest = [pool.submit(functions.double, number) for number in range(5)]
    assert [each.result(60) for each in rest] == [0, 2, 4, 6, 8]
    assert "cannot join current thread" in said[0]
    eventually(lambda: not os.path.exists(directory), "the daemon is gone")
    pool.shutdown()


@pytest.mark.parametrize("wait", [True, False])
def test_shutdown_may_cancel_what_waits(tmp_path, wait):
    pool, path = warmpool.Executor(2), tmp_path / "go"
    futures = [pool.submit(functions.wait_for, str(path)) for _ in range(20)]
    later = threading.Timer(0.2, path.touch)
    later.start()
    pool.shutdown(wait=wait, cancel_futures=True)
    done, not_done = concurrent.futures.wait(futures, 60)
    later.join()
    assert not not_done and [each.cancelled() for each in futures] == [False] * 3 + [True] * 17
    assert {each.result() for each in futures if not each.cancelled()} == {str(path)}


def test_one_that_nobody_holds_any_more_ends_after_its_calls():
    pool = warmpool.Executor(1)
    directory, future = pool._daemon.directory, pool.submit(functions.sleep, 0.2, "ran")
    del pool
    gc.collect()
    assert future.result(60) == "ran"
    eventually(lambda: not os.path.exists(directory), "the daemon is gone")


def test_the_end_of_the_interpreter_finishes_what_was_submitted(tmp_path):
    path = str(tmp_path / "noted")
    running = program(f"pool = warmpool.Executor(1)\npool.submit(functions.sleep, 0.3)\npool.submit(functions.note, {path!r})\n"
                      "print(pool._daemon.directory)")
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 0 and os.path.exists(path)
    assert said.strip() and not os.path.exists(said.strip())


def test_functions_of_a_script_go_by_value(tmp_path):
    pytest.importorskip("cloudpickle")
    running = program("def local(x): return x + OFFSET\nOFFSET = 5\n"
                      "with warmpool.Executor(1) as pool: print(list(pool.map(local, range(3))))")
    assert running.communicate(timeout=60)[0].strip() == "[5, 6, 7]"


def test_a_daemon_that_comes_up_after_its_program_has_ended_goes_at_once(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    place = tmp_path / "place"
    place.mkdir(mode=0o700)
    command = [private_daemon.find_daemon(), "--private", "--owner", str(gone.pid), "--runtime-dir", str(place), "--store", "volatile",
               "--config", "/dev/null"]
    assert subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode == 0
    assert not place.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_that_ends_the_program_ends_daemon_and_workers_and_leaves_nothing(number):
    running = program("pool = warmpool.Executor(2)\npids = {pool.submit(functions.pid).result() for _ in range(20)}\n"
                      "print(pool._daemon.directory, *pids, flush=True)\nsys.stdin.read()\n"
                      "pool.submit(functions.sleep, 600).result()")
    directory, *workers = running.stdout.readline().split()
    assert processes_of(directory) and all(os.path.exists(f"/proc/{pid}") for pid in workers)
    running.send_signal(number)
    assert running.wait(60) == -number
    running.stdout.close()
    eventually(lambda: not processes_of(directory) and not any(os.path.exists(f"/proc/{pid}") for pid in workers), "all are gone")
    eventually(lambda: not os.path.exists(directory), "the directory is gone")


def test_a_handler_of_the_program_for_sigterm_stays_its_own():
    running = program("import signal, time\nseen = []\nsignal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))\n"
                      "with warmpool.Executor(1) as pool:\n"
                      "    print(pool._daemon.directory, flush=True)\n    future = pool.submit(functions.sleep, 1, 'slept')\n"
                      "    while not seen: time.sleep(0.01)\n    print(future.result(), len(seen), flush=True)")
    directory = running.stdout.readline().strip()
    running.send_signal(signal.SIGTERM)
    said, _ = running.communicate(timeout=60)
    assert (said.strip(), running.returncode) == ("slept 1", 0) and not os.path.exists(directory)


def test_a_daemon_that_dies_breaks_the_pool_and_nothing_waits_for_ever():
    with warmpool.Executor(1) as pool:
        futures = [pool.submit(functions.sleep, 60) for _ in range(5)]
        os.kill(pool._daemon._process.pid, signal.SIGKILL)
        for each in futures:
            with pytest.raises(BrokenProcessPool, match="the daemon has gone"):
                each.result(60)
        with pytest.raises(BrokenProcessPool):
            pool.submit(functions.double, 1)


def test_workers_that_cannot_start_break_the_pool(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")
    with warmpool.Executor(1) as pool:
        with pytest.raises(BrokenProcessPool, match="the workers do not start"):
            pool.submit(functions.double, 1).result(60)


def test_workers_that_no_longer_start_break_the_pool(tmp_path):
    with warmpool.Executor(1, initializer=functions.start_first, initargs=(str(tmp_path / "first"),)) as pool:
        assert isinstance(pool.submit(functions.die).exception(60), BrokenProcessPool)
        with pytest.raises(BrokenProcessPool, match="the workers do not start"):
            pool.submit(functions.double, 1).result(60)


def ready(worker):
    return {"event": "worker-ready", "worker": f"calls-{worker}"}


def exited(worker):
    return {"event": "worker-exited", "worker": f"calls-{worker}"}


def gap(**rows):
    """Events are missing, and the daemon shows these workers when it is asked."""
    return {"event": "gap", "missed": 3, "workers": [{"id": f"calls-{name[1:]}", "state": state} for name, state in rows.items()]}


GIVEN_UP = {"event": "recovery-given-up"}


@pytest.mark.parametrize("events, broken", [
    ([exited(1), exited(2), GIVEN_UP], True),
    ([ready(1), exited(1), exited(2), GIVEN_UP], True),
    ([ready(1), exited(2), GIVEN_UP], False),  # another serves
    ([ready(1), exited(2), GIVEN_UP, exited(1), exited(3), GIVEN_UP], True),
    ([ready(1), exited(1), ready(2), exited(2), GIVEN_UP], False),  # calls killed them
    ([exited(1), ready(2), gap(w2="ready")], False),
    ([ready(1), gap(w1="backoff", w2="starting"), exited(2), GIVEN_UP], True),  # that one of them ended is missing
    ([gap(w1="recovery"), exited(1), GIVEN_UP], False),  # that it was ready is
    ([gap(w1="running"), exited(1), GIVEN_UP], False)])  # the same
def test_the_pool_is_broken_where_no_worker_is_left_and_the_last_did_not_start(events, broken):
    class Told:
        happened, why = None, None

        def follow(self, asked):
            if isinstance(asked, asking.Follow):
                self.happened = asked._happened
            else:
                asked.future.finish({"workers": event["workers"]})

        def last_words(self):
            return "exit 7"

        def shatter(self, why):
            self.why = why

    told = Told()
    executor.watch(told, told, told)
    for event in events:
        told.happened(event)
    assert told.why == ("the workers do not start: exit 7" if broken else None)


def test_where_there_is_no_daemon_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("WARMPOOL_BIN_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(private_daemon, "__file__", str(tmp_path / "a/b/c/d.py"))
    with pytest.raises(warmpool.NoDaemon, match="WARMPOOL_BIN_DIR, PATH or build/release/bin"):
        warmpool.Executor(1)


def test_a_daemon_that_runs_already_serves_it_too():
    calls = {"name": "calls", "types": ["python.call"], "size": 2,
             "command": [sys.executable, "-B", "-m", "warmpool", "--calls"], "environment": [f"PYTHONPATH={PACKAGE}:{HERE}"]}
    with Pool(calls) as pool:
        for start in ("first", "second"):
            with warmpool.Executor(2, socket=pool.socket, initializer=functions.start, initargs=(start,)) as executor:
                assert set(executor.map(functions.double, range(100))) == set(range(0, 200, 2))
                assert all(seen.count(start) == 1 for seen in executor.map(functions.started, range(20)))
        assert pool.process.poll() is None
