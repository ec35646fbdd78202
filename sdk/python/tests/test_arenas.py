"""Large payloads in memory that is filled again: by whom, when, and that nobody ever reads another payload than his own."""
import asyncio
import ctypes
import errno
import grp
import gc
import mmap
import os
import zlib

import pytest
from handlers import arenas_mapped
from pool import Pool, eventually
from test_large import client, descriptors, mappings, pool  # the first and the last are fixtures

import warmpool
from warmpool import arenas, kept_arenas, large
from warmpool.arenas import Arena, Arenas
from warmpool.kept_arenas import KeptArenas

needs_descriptors = pytest.mark.skipif(os.environ.get("WARMPOOL_TEST_CHANNEL") == "fifo", reason="no descriptor goes through a FIFO")
MIB = 1 << 20
SIZE = 2 * MIB + 5


@pytest.fixture(autouse=True)
def nothing_left():
    """Of tests before this one, whose mappings would go while it counts."""
    gc.collect()


def some(size=SIZE):
    return (os.urandom(MIB) * (size // MIB + 1))[:size]


def lend_seen(lender, size):
    """Of a size that was seen before."""
    return lender.lend(b"x" * size) or lender.lend(b"x" * size)


def run_sums(client, sizes, kind="sum"):
    """Runs a payload of each size, one after the other, and gives back what the worker said."""
    said = []
    for size in sizes:
        payload = some(size)
        said.append(client.run(kind, payload))
        assert said[-1]["sum"] == zlib.crc32(payload)
    return said


# What a client lends.


def test_one_is_lent_for_what_comes_twice_and_again_once_it_was_taken_back():
    lender = Arenas(MIB)
    assert lender.lend(b"a" * 5000) is None and lender.lend(b"a" * 6000) is None
    first, second = lender.lend(b"a" * 5000), lender.lend(b"b" * 5000)
    assert first is not None and second is not None and first is not second
    lender.take_back(first)
    assert lender.lend(b"c" * 5000) is first
    assert os.pread(first.descriptor.number, 5000, 0) == b"c" * 5000
    assert os.pread(second.descriptor.number, 5000, 0) == b"b" * 5000
    lender.close()


def test_so_many_and_so_many_bytes_and_no_more():
    lender = Arenas(9000)
    only = lend_seen(lender, 5000)
    assert only is not None and lender.lend(b"x" * 5000) is None
    del only
    large_one = lend_seen(lender, 10_000)
    assert large_one is not None, "larger than all may be, and alone"
    lender.take_back(large_one)
    del large_one
    assert lend_seen(lender, 5000) is not None, "one that nobody has makes room"
    many = Arenas(1 << 30)
    lent = [lend_seen(many, 5000) for _ in range(arenas.COUNT_MAX)]
    assert all(lent) and many.lend(b"x" * 5000) is None
    assert lend_seen(Arenas(0), 5000) is None


def test_what_nobody_has_goes_after_a_while_and_at_the_end(monkeypatch):
    monkeypatch.setattr(arenas, "IDLE_SECONDS", 0.05)
    before = mappings()
    lender = Arenas(MIB)
    lender.take_back(lend_seen(lender, 5000))
    eventually(lambda: mappings() == before, "it is unmapped without a further call")
    monkeypatch.setattr(arenas, "IDLE_SECONDS", 3600)
    lender.take_back(lend_seen(lender, 5000))
    assert mappings() == before + 1
    lender.close()
    assert mappings() == before


def test_who_is_given_one_can_neither_write_to_it_nor_cut_it():
    arena = Arena(b"x" * 5000)
    number = arena.descriptor.number
    for call in (lambda: os.pwrite(number, b"y", 0), lambda: os.ftruncate(number, 1), lambda: os.ftruncate(number, 6000),
                 lambda: mmap.mmap(number, 5000)):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EPERM
    assert large.is_arena(number) and large.is_own_arena(number) and not large.is_sealed(number)
    assert not large.is_arena(large.sealed(b"x").number)


# What a worker keeps.


def test_a_mapping_is_kept_and_shows_what_comes_next():
    arena, kept = Arena(b"a" * 5000), KeptArenas()
    before = mappings()
    for letter in (b"a", b"b", b"c"):
        arena.fill(letter * 5000)
        lent = kept.lend(arena.descriptor, 5000)
        assert lent.view == letter * 5000 and lent.view.readonly
        lent.let_go()
        assert mappings() == before + 1
    with pytest.raises(ValueError, match="were announced"):
        kept.lend(arena.descriptor, 4999)


def test_what_somebody_still_has_when_it_is_let_go_stays_as_it_is():
    arena, kept = Arena(b"a" * 5000), KeptArenas()
    before = mappings()
    lent = kept.lend(arena.descriptor, 5000)
    part = lent.view[100:200]
    lent.let_go()
    arena.fill(b"b" * 5000)
    assert part == b"a" * 100 and mappings() == before
    assert kept.lend(arena.descriptor, 5000).view == b"b" * 5000
    del part, lent
    gc.collect()
    assert mappings() == before + 1


def test_kept_ones_are_so_many_and_go_when_nobody_uses_them(monkeypatch):
    made, kept = [Arena(b"a" * 5000) for _ in range(kept_arenas.COUNT_MAX + 1)], KeptArenas()
    before = mappings()
    for each in made:
        kept.lend(each.descriptor, 5000).let_go()
    assert mappings() == before + kept_arenas.COUNT_MAX
    lent = kept.lend(made[0].descriptor, 5000)
    monkeypatch.setattr(kept_arenas, "IDLE_SECONDS", -1)
    kept.forget_idle()
    assert mappings() == before + 1 and lent.view == b"a" * 5000
    del lent
    assert mappings() == before


def test_one_of_another_user_is_none():
    if os.geteuid():
        pytest.skip("only root makes files as somebody else")
    libc = ctypes.CDLL(None)
    libc.setfsuid(65534)
    arena = Arena(b"a" * 5000)
    libc.setfsuid(0)
    assert large.is_arena(arena.descriptor.number) and KeptArenas().lend(arena.descriptor, 5000) is None
    copied = large.view_of(arena.descriptor, 5000)
    arena.fill(b"b" * 5000)
    assert copied == b"a" * 5000


# From end to end.


@needs_descriptors
@pytest.mark.parametrize("kind", ["sum", "async.sum"])
def test_one_arena_is_filled_again_and_again(pool, client, kind):
    said = run_sums(client, [SIZE] * 6, kind)
    assert len({tuple(each["arenas"]) for each in said[1:]}) == 1 and len(said[-1]["arenas"]) >= 1
    assert arenas_mapped(said[-1]["pid"]) == said[-1]["arenas"], "nothing was copied"


@needs_descriptors
def test_payloads_of_different_sizes(client):
    run_sums(client, [SIZE, SIZE + 1, SIZE, 3 * MIB, SIZE + 1, SIZE, 3 * MIB, SIZE + 1] * 3)


@needs_descriptors
def test_many_at_once_are_not_mixed_up(client):
    sent = [some() for _ in range(40)]
    assert [each["sum"] for each in client.map("sum", sent, window=20)] == [zlib.crc32(each) for each in sent]
    assert list(client.map("echo", sent[:20], window=10)) == sent[:20]


@needs_descriptors
def test_nobody_keeps_more_and_more_descriptors_or_mappings(pool, client):
    worker = run_sums(client, [SIZE] * 5)[-1]
    before = [descriptors(pid) for pid in (os.getpid(), worker["pid"], pool.process.pid)] + [mappings()]
    last = run_sums(client, [SIZE] * 20)[-1]
    eventually(lambda: all(now <= then for now, then in zip(
        [descriptors(pid) for pid in (os.getpid(), worker["pid"], pool.process.pid)] + [mappings()], before)), "no more are open")
    assert last["arenas"] == worker["arenas"]


@needs_descriptors
@pytest.mark.parametrize("kind", ["keep", "async.keep"])
def test_a_handler_may_keep_what_it_was_given(client, kind):
    sent = [some() for _ in range(5)]
    for payload in sent:
        client.run(kind, payload)
    run_sums(client, [SIZE] * 3)
    assert client.run("kept.sums") == [zlib.crc32(payload) for payload in sent]


@needs_descriptors
def test_a_handler_may_give_back_a_part_or_all(client):
    for _ in range(4):
        payload = some()
        assert client.run("begin", payload) == payload[:10]
        assert client.run("echo", payload) == payload
    said = run_sums(client, [SIZE])[-1]
    assert client.run("begin", payload) == payload[:10] and arenas_mapped(said["pid"]) == said["arenas"], "nothing was copied"
    assert client.run("echo", payload) == payload and arenas_mapped(said["pid"]) == said["arenas"]
    assert client.run("keep", payload)["arenas"] == said["arenas"]
    assert arenas_mapped(said["pid"]) != said["arenas"], "what is kept was"
    client.run("kept.sums")


@needs_descriptors
def test_after_a_death_the_second_attempt_reads_the_same(pool, tmp_path):
    with Pool({"size": 2}, backoff_first="1ms") as pool, pool.client() as client:
        run_sums(client, [SIZE] * 3)
        path = str(tmp_path / "go")
        payload = (path + "\n").encode().ljust(SIZE, b"z")
        dying = client.submit("sum.second", payload, crashes_max=3)
        eventually(lambda: os.path.exists(path + ".begun"), "its first attempt has begun")
        run_sums(client, [SIZE] * 3)
        open(path, "x").close()
        run_sums(client, [SIZE] * 3)
        said = dying.result(60)
        assert said["sum"] == zlib.crc32(payload) and said["attempt"] > 1
        run_sums(client, [SIZE] * 3)


@needs_descriptors
def test_what_waits_while_the_daemon_is_away_is_what_was_sent():
    with Pool(store="sqlite") as pool, pool.client() as client:
        run_sums(client, [SIZE] * 3)
        client.request("pause")
        payload = some()
        waiting = client.submit("sum", payload)
        waiting.accepted()
        pool.end()
        pool.start()
        more = [some() for _ in range(3)]
        others = [client.submit("sum", each) for each in more]
        client.request("resume")
        assert waiting.result(60)["sum"] == zlib.crc32(payload)
        assert [each.result(60)["sum"] for each in others] == [zlib.crc32(each) for each in more]
        run_sums(client, [SIZE] * 3)


@needs_descriptors
def test_a_dead_letter_keeps_its_payload():
    with Pool() as pool, pool.client() as client:
        run_sums(client, [SIZE] * 3)
        payload = some()
        with pytest.raises(warmpool.TaskDead) as caught:
            client.run("raise", payload, retries=0)
        run_sums(client, [SIZE] * 3)
        line = client.request("dead-export")
        assert str(caught.value.task) in str(line)
        archived = descriptors(pool.process.pid)
        assert archived >= 1, "the daemon has it still"


def as_nobody(call):
    """What it gives, as text, when a process of the user nobody calls it."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            os.write(writes, str(call()).encode())
        finally:
            os._exit(0)
    os.close(writes)
    with open(reads, encoding="utf-8") as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


@needs_descriptors
def test_with_a_client_of_another_user_they_are_not_agreed_and_its_own_are_refused():
    if os.geteuid():
        pytest.skip("only root becomes somebody else")
    try:
        group = grp.getgrgid(65534).gr_name
    except KeyError:
        pytest.skip("there is no group of nobody")

    def call():
        with warmpool.Client(pool.socket) as client:
            link = client._conversation.link
            agreed = link.takes_arenas
            run_sums(client, [SIZE] * 3)
            link.takes_arenas = True
            try:
                run_sums(client, [SIZE] * 2)
            except warmpool.Refused as error:
                return agreed, error.code

    with Pool(socket_group=group) as pool:
        os.chmod(pool.directory, 0o711)
        assert as_nobody(call) == "(False, 214)"
        with pool.client() as client:
            run_sums(client, [SIZE] * 2)


@needs_descriptors
def test_none_where_the_client_wants_none(pool):
    with pool.client(arena_bytes_max=0) as client:
        before = set(client.run("sum", b"x")["arenas"])
        assert set(run_sums(client, [SIZE + 9] * 4)[-1]["arenas"]) <= before


@needs_descriptors
def test_for_asyncio_too(pool):
    async def run():
        async with warmpool.AsyncClient(pool.socket) as client:
            said = []
            for _ in range(5):
                payload = some(SIZE + 77)
                said.append(await client.run("sum", payload))
                assert said[-1]["sum"] == zlib.crc32(payload)
            return said

    said = asyncio.run(run())
    assert said[2]["arenas"] == said[-1]["arenas"]


@needs_descriptors
def test_what_is_mapped_is_no_memory_of_the_worker():
    """Else one that has done nothing but read would be ended, or replaced as one that grows."""
    with Pool({"memory_hard": "100MiB", "memory_soft": "80MiB", "memory_growth": 2, "types": ["*"]}, sample_interval="10ms") as pool:
        with pool.client() as client:
            said = run_sums(client, [150 * MIB] * 4)
            run_sums(client, [SIZE] * 4)
            assert len({each["pid"] for each in said}) == 1
            assert client.workers()[0]["memory_bytes"] < 80 * MIB
