"""What leaves when, and in which order."""
import socket
import threading

import pytest
from warmpool.outbox import HELD_BYTES_MAX, Outbox


@pytest.fixture
def ends():
    near, far = socket.socketpair()
    far.setblocking(False)
    outbox = Outbox(near.fileno(), lambda data: near.send(data, socket.MSG_DONTWAIT))
    yield outbox, far
    outbox.close()
    near.close()
    far.close()


def arrived(far):
    try:
        return far.recv(1 << 20)
    except BlockingIOError:
        return b""


def elsewhere(call, *arguments):
    """In a thread that has ended when this returns."""
    thread = threading.Thread(target=call, args=arguments)
    thread.start()
    thread.join()


def test_what_the_holder_sends_leaves_together(ends):
    outbox, far = ends
    outbox.hold()
    outbox.send(b"one ")
    outbox.send(b"two")
    assert arrived(far) == b""
    outbox.release()
    assert arrived(far) == b"one two"
    outbox.send(b"three")
    assert arrived(far) == b"three"


def test_another_thread_waits_for_nobody_and_overtakes_nothing(ends):
    outbox, far = ends
    outbox.hold()
    outbox.send(b"first ")
    elsewhere(outbox.send, b"second")
    assert arrived(far) == b"first second"


def test_much_is_not_held(ends):
    outbox, far = ends
    outbox.hold()
    outbox.send(bytes(HELD_BYTES_MAX))
    assert len(arrived(far)) == HELD_BYTES_MAX


def test_a_flush_by_anybody_takes_what_is_held(ends):
    outbox, far = ends
    elsewhere(lambda: (outbox.hold(), outbox.send(b"held")))
    assert arrived(far) == b""
    assert outbox.flush(5) and arrived(far) == b"held"


def test_what_is_held_when_it_closes_goes_nowhere(ends):
    outbox, far = ends
    outbox.hold()
    outbox.send(b"late")
    outbox.close()
    outbox.release()
    assert arrived(far) == b""


def test_who_sends_from_inside_of_a_send_waits_for_nobody_and_breaks_no_frame():
    near, far = socket.socketpair()
    nested = iter([b"nested"])

    def write(data):
        sent = near.send(data[:2], socket.MSG_DONTWAIT)  # half a frame, and then a signal comes
        for each in nested:
            outbox.send(each)
        return sent

    outbox = Outbox(near.fileno(), write)
    elsewhere(outbox.send, b"outer ")
    assert arrived(far) == b"outer nested"
    outbox.close()
    near.close()
    far.close()
