"""Payloads and results that are handed over as descriptors: over the limits of frames, from end to end."""
import gc
import os

import pytest
from pool import Pool, eventually

import warmpool
from warmpool import large, wire
from warmpool.words import Kind

pytestmark = pytest.mark.skipif(os.environ.get("WARMPOOL_TEST_CHANNEL") == "fifo", reason="no descriptor goes through a FIFO")
MIB = 1 << 20


@pytest.fixture(scope="module")
def pool():
    with Pool(backoff_first="1ms") as made:
        yield made


@pytest.fixture
def client(pool):
    with pool.client() as made:
        yield made


def descriptors(pid):
    """How many are open of files in memory, as bodies are: a daemon opens others when it comes to them."""
    count = 0
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(f"/proc/{pid}/fd/{number}").startswith("/memfd:")
        except OSError:  # closed meanwhile
            pass
    return count


VALUES = {"bytes": b"\0\xff\x80" * MIB, "text": "ü" * 2 * MIB, "json": ["x" * MIB, 1, "y" * MIB]}


@pytest.mark.parametrize("kind", VALUES)
def test_values_over_the_limits_come_back_as_they_were_sent(client, kind):
    assert (client.run("same", VALUES[kind]) == VALUES[kind]) is True  # what differs is no reading


def test_the_handler_is_given_a_memoryview_that_it_cannot_write(client):
    assert client.run("kind", b"x" * (2 * MIB)) == ["memoryview", 2 * MIB, True]
    assert client.run("kind", b"x") == ["bytes", 1, True]


def test_a_small_payload_may_have_a_large_result(client):
    assert client.run("many", 5 * MIB) == b"m" * (5 * MIB)


def test_at_most_large_bytes_max(client):
    with Pool(large_bytes_max="2MiB") as small, small.client() as other:
        with pytest.raises(warmpool.Refused, match="payload") as caught:
            other.run("same", b"x" * (2 * MIB + 1))
        assert caught.value.code == 205
        with pytest.raises(warmpool.TaskDead, match="large_bytes_max"):
            other.run("many", 2 * MIB + 1)
        assert other.run("same", b"x" * (2 * MIB)) == b"x" * (2 * MIB)


def test_without_large_bytes_max_all_is_as_before(client):
    with Pool(large_bytes_max=0) as small, small.client() as other:
        with pytest.raises(warmpool.Refused, match="payload_bytes_max"):
            other.run("same", b"x" * (2 * MIB))
        assert other.run("same", b"x" * MIB) == b"x" * MIB


def test_nobody_keeps_a_descriptor(pool, client):
    worker = client.run("context")["pid"]
    gc.collect()
    before = [descriptors(pid) for pid in (os.getpid(), worker, pool.process.pid)]
    for _ in range(5):
        assert len(client.run("same", b"x" * (2 * MIB))) == 2 * MIB
    client.run("same", b"x")
    gc.collect()
    client._conversation._say_received()
    # What tests before this one left may go meanwhile.
    eventually(lambda: all(descriptors(pid) <= most for pid, most in zip((os.getpid(), worker, pool.process.pid), before)), "all are closed")


def test_many_at_once_are_not_mixed_up(client):
    sent = [bytes([i]) * (MIB + i + 1) for i in range(20)]
    assert list(client.map("same", sent, window=10)) == sent


def test_an_executor_takes_them_both_ways():
    with warmpool.Executor(1) as executor:
        assert executor.submit(bytes.upper, b"x" * (20 * MIB)).result() == b"X" * (20 * MIB)


def test_one_that_waits_outlives_the_daemon():
    with Pool(store="sqlite") as pool:
        sent = os.urandom(3 * MIB)
        with pool.client() as client:
            client.request("pause")
            task = client.enqueue("same", sent)
            pool.end()
            pool.start()
            assert client.request("show", task)["payload_bytes"] == len(sent)
            client.request("resume")
            assert client.wait(task).result() == sent


def test_a_result_outlives_the_daemon():
    with Pool(store="sqlite") as pool:
        with pool.client() as client:
            task = client.enqueue("many", 3 * MIB)
            client.wait(task).accepted()
            eventually(lambda: client.request("show", task)["state"] == "done", "it is done")
            pool.end()
            pool.start()
            assert client.wait(task).result() == b"m" * (3 * MIB)


def test_a_key_stands_for_what_is_in_the_descriptor():
    with Pool(store="sqlite") as pool, pool.client() as client:
        sent = os.urandom(2 * MIB)
        task = client.enqueue("same", sent, key="one")
        assert client.enqueue("same", sent, key="one") == task
        with pytest.raises(warmpool.Refused) as caught:
            client.enqueue("same", bytes([sent[0] ^ 1]) + sent[1:], key="one")
        assert caught.value.code == 206


def test_what_is_sealed_is_mapped_and_a_file_is_read(tmp_path):
    assert large.view_of(large.sealed(b"four"), 4) == b"four"
    file = tmp_path / "file"
    file.write_bytes(b"four")
    assert large.view_of(large.Descriptor(os.open(file, os.O_RDONLY)), 4) == b"four"
    for size in (3, 5):
        with pytest.raises(ValueError, match="were announced"):
            large.view_of(large.Descriptor(os.open(file, os.O_RDONLY)), size)
    with pytest.raises(ValueError):
        large.view_of(large.Descriptor(os.open("/", os.O_RDONLY)), 4)
    with pytest.raises(ValueError, match="no room"):
        large.view_of(large.Descriptor(-1), 4)


def test_a_frame_with_a_descriptor_is_written_apart_from_others():
    """What goes with the first byte of a frame must not go with another's, whatever waits to be written."""
    from warmpool.outbox import Outbox
    written = []

    def write(data, descriptor=None):
        written.append((bytes(data), descriptor))
        return len(data)

    outbox = Outbox(0, write, write)
    handed = wire.Frame(Kind.SUBMIT, descriptors=1, meta=[7], descriptor=large.sealed(b"four")).encode()
    outbox.hold()
    for data in (b"one", handed, b"two", handed):
        outbox.send(data)
    outbox.release()
    number = handed.descriptor.number
    assert written == [(b"one", None), (bytes(handed) + b"two", number), (bytes(handed), number)]
    outbox.close()


def mappings():
    with open("/proc/self/maps") as file:
        return sum("warmpool-body" in line for line in file)


def test_bodies_that_are_kept_hold_no_descriptor_and_are_unmapped_with_their_last_view():
    gc.collect()
    before, mapped_before = descriptors(os.getpid()), mappings()
    kept = [large.view_of(large.sealed(bytes([number]) * 5000), 5000) for number in range(50)]
    assert descriptors(os.getpid()) == before and mappings() == mapped_before + 50
    parts = [view[-1:] for view in kept]
    del kept
    gc.collect()
    assert [bytes(part) for part in parts] == [bytes([number]) for number in range(50)]
    assert all(part.readonly and part.format == "B" for part in parts)
    del parts
    gc.collect()
    assert mappings() == mapped_before


def test_what_has_no_bytes_is_no_mapping():
    assert large.view_of(large.sealed(b""), 0) == b""
