#!/usr/bin/python3
"""The proof of docs/protocol.md: client.py and worker.py, written from it alone, against a real warmpoold."""
import itertools
import json
import os
import re
import signal
import socket
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import client  # noqa: E402
import frame as wire  # noqa: E402
import pool as pools  # noqa: E402
from frame import Frame  # noqa: E402

with open(os.path.join(pools.HERE, "..", "..", "docs", "protocol.md"), encoding="utf-8") as file:
    PAGE = file.read()
MS = 1_000_000  # nanoseconds


def code_of(ask):
    """The code that a request is refused with."""
    try:
        answer = ask()
        return answer.next() if isinstance(answer, client.Request) else answer
    except client.Refused as refused:
        return refused.code


def table_below(heading):
    """Rows of the page's first table below a heading, without its head."""
    lines = PAGE.split(heading + "\n", 1)[1].splitlines()
    rows = [line for line in itertools.takewhile(lambda line: not line.startswith("#"), lines) if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


class Frames(unittest.TestCase):
    """Against the worked examples of section 9."""

    @classmethod
    def setUpClass(cls):
        blocks = re.findall(r"```hex (\S+)\n(.*?)```", PAGE, re.S)
        cls.examples = {name: bytes.fromhex(re.sub(r"#.*", "", text)) for name, text in blocks}

    def test_what_is_made_is_what_the_page_shows(self):
        made = {
            "hello-client": Frame(wire.HELLO, meta=[0, 1, 1, 16, "example", 4711]),
            "submit-plain": Frame(wire.SUBMIT, flags=17, token=7, payload=b"/etc/hostname"),
            "received": Frame(wire.RECEIVED, payload=bytes.fromhex("1100000000030000 1200000000030000")),
            "failed-retry-after": Frame(wire.FAILED, flags=1, id=3 << 40 | 17, token=0x1122334455667788, round=1,
                                        attempt=2, type=95, meta=[3, 60_000 * MS], payload=b"busy"),
        }
        for name, frame in made.items():
            self.assertEqual(frame.encode(), self.examples[name], name)

    def test_every_example_is_read_and_made_again(self):
        self.assertGreater(len(self.examples), 10)
        for name, example in self.examples.items():
            ours, theirs = socket.socketpair()
            theirs.sendall(example)
            theirs.close()
            channel = wire.Channel(ours)
            self.assertEqual(channel.receive().encode(), example, name)
            self.assertIsNone(channel.receive())
            channel.close()

    def test_each_program_is_under_150_lines(self):
        for name in ("frame.py", "worker.py", "client.py"):
            with open(os.path.join(pools.HERE, name), encoding="utf-8") as file:
                self.assertLess(len(file.readlines()), 150, name)


class Worker(unittest.TestCase):
    """What the worker does with each frame that a daemon sends."""

    def test_echoes_payloads_and_their_content(self):
        with pools.Pool() as pool:
            for content, payload in enumerate((bytes(range(256)), "wörter".encode(), b"{}", b"\xc0")):
                settled = pool.client.run("py.echo", payload, content=content)
                self.assertEqual((settled.at(0), settled.payload, settled.flags & 3), (0, payload, content))
            longest = os.urandom(pool.client.payload_bytes_max)
            self.assertEqual(pool.client.run("py.echo", longest).payload, longest)
            self.assertEqual(pool.client.run("py.echo").payload, b"")

    def test_fails_until_it_succeeds_and_the_failures_are_charged(self):
        with pools.Pool(backoff_first="1ms") as pool:
            settled = pool.client.run("py.fail", b"2")
            self.assertEqual((settled.at(0), settled.attempt, settled.at(2)), (0, 3, 2))
            settled = pool.client.run("py.fail", b"5", retries=1)
            self.assertEqual((settled.at(0), settled.at(1), settled.at(2)), (1, 1, 2))
            self.assertEqual(settled.payload, b"failure 2 of 5")

    def test_fails_for_good(self):
        with pools.Pool() as pool:
            settled = pool.client.run("py.fatal")
            self.assertEqual((settled.at(0), settled.at(1), settled.attempt), (1, 2, 1))
            settled = pool.client.run("py.nobody")
            self.assertEqual((settled.at(1), settled.payload), (2, b"no handler nobody"))

    def test_asks_to_be_tried_later(self):
        with pools.Pool() as pool:
            settled = pool.client.run("py.later", b"20")
            self.assertEqual((settled.at(0), settled.payload, settled.attempt), (0, b"now", 2))

    def test_progress_comes_before_the_result_and_the_last_one_always(self):
        with pools.Pool() as pool:
            request = pool.client.submit("py.steps", b"200", flags=client.WAIT | client.PROGRESS)
            told = [request.next()]
            while told[-1].kind != wire.SETTLED:
                told.append(request.next())
            kinds = [frame.kind for frame in told]
            self.assertEqual(kinds, [wire.ACCEPTED] + [wire.PROGRESSED] * (len(told) - 2) + [wire.SETTLED])
            self.assertEqual(told[-2].meta, [1000, "step 200"])
            self.assertLess(len(told), 100)  # 200 came at once, ten a second are passed on
            request = pool.client.submit("py.steps", b"5")
            self.assertEqual([request.next().kind, request.next().kind], [wire.ACCEPTED, wire.SETTLED])

    def test_a_cancel_reaches_the_running_handler(self):
        with pools.Pool(cancel_grace="60s") as pool:
            request = pool.client.submit("py.sleep", b"60000")
            task = request.next().id
            pools.eventually(lambda: pool.client.request("show", task)["state"] == "running", "it runs")
            cancelled = pool.client.cancel(task).next()
            self.assertEqual((cancelled.at(0), cancelled.at(1, 8)), (1, 8))
            settled = request.settled()
            self.assertEqual((settled.at(0), settled.at(1), settled.payload), (2, 13, b"told to end"))

    def test_a_timeout_reaches_the_running_handler(self):
        with pools.Pool(cancel_grace="60s") as pool:
            settled = pool.client.run("py.sleep", b"60000", timeout=50 * MS, retries=0)
            self.assertEqual((settled.at(0), settled.at(1), settled.payload), (1, 5, b"told to end"))

    def test_holds_as_many_tasks_as_both_said(self):
        for of_class, of_worker, both in ((4, 8, 4), (8, 4, 4), (4, 0, 1)):
            with pools.Pool(size=1, credits=of_class, worker_credits=of_worker) as pool:
                self.echo(pool, 300)
                # What could not be taken back is not given ahead.
                most = 1 if pools.CHANNEL == "fifo" else both
                self.assertEqual(self.counts(pool)["held_most"], most)

    def test_without_the_feature_credits_it_is_given_one_at_a_time(self):
        with pools.Pool(size=1, credits=4, features=22) as pool:
            self.echo(pool, 300)
            self.assertEqual(self.counts(pool)["held_most"], 1)

    @unittest.skipIf(pools.CHANNEL == "fifo", "FIFOs carry no recall")
    def test_gives_back_what_waits_behind_a_slow_task(self):
        with pools.Pool(size=1, credits=4) as pool:
            self.measure(pool)
            slow, behind = self.slow_and_behind(pool)
            self.assertEqual({request.settled().at(0) for request in [slow] + behind}, {0})
            self.assertGreater(self.counts(pool)["returned"], 0)

    def test_without_the_feature_recall_nothing_is_recalled(self):
        with pools.Pool(size=1, credits=4, features=21) as pool:
            self.measure(pool)
            slow, behind = self.slow_and_behind(pool)
            self.assertEqual({request.settled().at(0) for request in [slow] + behind}, {0})
            counts = self.counts(pool)
            self.assertEqual((counts["returned"], counts["kept"]), (0, 0))

    def test_retires_after_what_it_has_in_hand(self):
        with pools.Pool(size=1) as pool:
            request = pool.client.submit("py.sleep", b"200")
            request.next()
            self.assertEqual(pool.client.request("scale", "py", 0, 0)["after"], 0)
            self.assertEqual(request.settled().payload, b"slept")
            self.assertEqual(pools.eventually(pool.exits, "the worker has ended"), [("requested", "0")])

    def test_all_retire_when_the_daemon_stops(self):
        with pools.Pool(size=3) as pool:
            self.assertEqual(pool.stop(), 0)
            self.assertEqual(pool.exits(), [("requested", "0")] * 3)

    def test_beats_while_it_is_idle(self):
        with pools.Pool(size=1, heartbeat_interval="20ms", unresponsive_after="400ms", dead_after="800ms") as pool:
            before = pool.workers()[0]
            long_enough = lambda: pool.workers()[0]["uptime_seconds"] > 2 and pool.workers()[0]
            after = pools.eventually(long_enough, "it has been idle for two seconds")
            self.assertEqual((after["pid"], after["healthy"]), (before["pid"], True))
            self.assertGreater(after["last_heartbeat"], before["last_heartbeat"])

    def test_a_killed_worker_costs_an_attempt_and_no_task(self):
        with pools.Pool(size=1) as pool:
            request = pool.client.submit("py.sleep", b"300")
            request.next()
            pools.eventually(lambda: pool.workers()[0]["state"] == "running", "it runs")
            os.kill(pool.workers()[0]["pid"], signal.SIGKILL)
            settled = request.settled()
            self.assertEqual((settled.at(0), settled.attempt, settled.at(3)), (0, 2, 1))

    def echo(self, pool, count):
        requests = [pool.client.submit("py.echo", b"%d" % each) for each in range(count)]
        self.assertEqual([request.settled().payload for request in requests], [b"%d" % each for each in range(count)])

    def measure(self, pool):
        """Only types that have run for a while are known to be short, and given ahead."""
        for _ in range(20):
            pool.client.run("py.sleep", b"0")

    def slow_and_behind(self, pool):
        blocker = pool.client.submit("py.later", b"1")  # all of them wait for it, so that they go out together
        requests = [pool.client.submit("py.sleep", payload) for payload in (b"400", b"0", b"0", b"0")]
        blocker.settled()
        return requests[0], requests[1:]

    def counts(self, pool):
        return json.loads(pool.client.run("py.counts").payload)


class Client(unittest.TestCase):
    """What the client does with each answer, and what it may ask."""

    @classmethod
    def setUpClass(cls):
        cls.pool = pools.Pool(in_flight_max=40)
        cls.client = cls.pool.client

    @classmethod
    def tearDownClass(cls):
        cls.pool.close()

    def test_survives_refusals(self):
        submit = self.client.submit
        year = 365 * 24 * 3600 * 1000 * MS
        self.client.run("py.echo", b"one", key="used")
        refusals = {
            "a type that nobody serves": (201, lambda: submit("elsewhere")),
            "a priority": (202, lambda: submit("py.echo", priority=101)),
            "no time at all": (203, lambda: submit("py.echo", timeout=0)),
            "eleven years": (203, lambda: submit("py.echo", deadline=11 * year)),
            "retries": (204, lambda: submit("py.echo", retries=1001)),
            "a payload": (205, lambda: submit("py.echo", bytes(self.client.payload_bytes_max + 1))),
            "the key of another payload": (206, lambda: submit("py.echo", b"two", key="used")),
            "an empty key": (207, lambda: submit("py.echo", key="")),
            "two times to begin": (208, lambda: submit("py.echo", delay=1, run_at=1)),
            "a request that has no such argument": (208, lambda: self.client.request("status", 1)),
            "no such task": (301, lambda: self.client.wait(1)),
            "no such worker": (302, lambda: self.client.request("worker", "py-99")),
            "no such class": (303, lambda: self.client.request("scale", "nobody", 0, 1)),
            "a size": (209, lambda: self.client.request("scale", "py", 0, 99)),
        }
        for what, (code, ask) in refusals.items():
            self.assertEqual(code_of(ask), code, what)
            self.assertEqual(self.client.run("py.echo", b"still there").payload, b"still there")

    def test_a_task_that_has_not_settled_and_one_that_has(self):
        request = self.client.submit("py.sleep", b"300")
        task = request.next().id
        self.assertEqual(code_of(lambda: self.client.wait(task, client.NOW)), 306)
        self.assertEqual(self.client.wait(task).settled().payload, b"slept")
        self.assertEqual(self.client.wait(task, client.NOW).settled().payload, b"slept")
        self.assertEqual(code_of(lambda: self.client.cancel(task)), 305)
        self.assertEqual(self.client.request("show", task)["state"], "done")

    def test_a_task_that_waits_is_cancelled_where_it_is(self):
        request = self.client.submit("py.echo", delay=3_600_000 * MS)
        task = request.next().id
        self.assertEqual(self.client.cancel(task).next().at(0), 0)
        self.assertEqual(request.settled().at(0), 2)

    def test_a_dead_letter_gets_another_round(self):
        task = self.client.run("py.fatal").id
        self.assertIn(task, [each["id"] for each in self.client.request("dead-ls")["tasks"]])
        self.assertEqual(self.client.request("dead-retry", [task]), {"schema": 1, "retried": 1, "refused": 0})
        settled = self.client.wait(task).settled()
        self.assertEqual((settled.at(0), settled.round), (1, 2))
        self.assertEqual(self.client.request("dead-remove", [task]), {"schema": 1, "removed": 1, "refused": 0})
        self.assertEqual(code_of(lambda: self.client.wait(task)), 301)

    def test_a_key_finds_the_task_again_after_a_reconnect(self):
        first = self.pool.connect()
        task = first.submit("py.sleep", b"200", key="once").next().id
        first.close()
        again = self.pool.connect()
        request = again.submit("py.sleep", b"200", key="once")
        accepted = request.next()
        self.assertEqual((accepted.id, accepted.flags & client.DUPLICATE), (task, client.DUPLICATE))
        self.assertEqual(request.settled().payload, b"slept")
        self.assertEqual(again.wait(task).settled().attempt, 1)
        again.received(task)

    def test_an_id_is_awaited_after_a_reconnect(self):
        first = self.pool.connect()
        task = first.submit("py.sleep", b"200", flags=0).next().id
        first.close()
        self.assertEqual(self.pool.connect().wait(task).settled().payload, b"slept")

    def test_what_was_asked_to_end_with_its_client_does(self):
        leaving = self.pool.connect()
        task = leaving.submit("py.sleep", b"60000", flags=client.CANCEL_ON_DISCONNECT).next().id
        leaving.close()
        settled = self.client.wait(task).settled()
        self.assertEqual((settled.at(0), settled.at(1)), (2, 17))

    def test_more_than_may_be_in_flight_is_refused_and_may_be_asked_again(self):
        self.assertEqual(self.client.in_flight_max, 40)
        requests = [self.client.submit("py.echo", delay=3_600_000 * MS) for _ in range(40)]
        tasks = [request.next().id for request in requests]
        self.assertEqual(code_of(lambda: self.client.submit("py.echo")), 107)
        other = self.pool.connect()
        for task in tasks:
            other.cancel(task).next()
        self.assertEqual({request.settled().at(0) for request in requests}, {2})
        self.assertEqual(self.client.run("py.echo", b"again").payload, b"again")

    def test_what_breaks_the_rules_is_told_and_closed(self):
        broken = self.pool.connect()
        waiting = broken.submit("py.sleep", b"100")
        broken.channel.send(Frame(wire.ASSIGN))
        with self.assertRaises(client.Closed) as caught:
            waiting.settled()
        self.assertEqual(caught.exception.code, 505)

    def test_a_version_that_nobody_speaks_is_told(self):
        plain = socket.socket(socket.AF_UNIX)
        plain.connect(os.path.join(self.pool.directory, "warmpool.sock"))
        channel = wire.Channel(plain)
        channel.send(Frame(wire.HELLO, meta=[0, 7, 9]))
        answer = channel.receive()
        self.assertEqual((answer.kind, answer.at(0)), (wire.ERROR, 502))
        self.assertIsNone(channel.receive())
        channel.close()


class Replies(unittest.TestCase):
    """The documents of section 6."""

    @classmethod
    def setUpClass(cls):
        cls.members = {name: members for name, members in table_below("### Replies")}

    def promised(self, row):
        members = re.sub(r"\([^)]*\)", "", self.members[row])  # what is said of one
        names = [name.strip() for name in members.split(";")[0].split(",") if name.strip()]
        for name in names:
            if name.startswith("those of "):
                names = [each for each in names if each != name] + self.promised(name.removeprefix("those of "))
        return names

    def assert_promised(self, row, document):
        for name in self.promised(row):
            self.assertIn(name, document, f"docs/protocol.md, Replies, promises this of {row}")

    def assert_parts_promised(self, verb, document):
        for row in [row for row in self.members if row.startswith(verb + " ")]:
            part = document.get(row.removeprefix(verb + " "), [])  # one that an option adds may be missing
            for each in part if isinstance(part, list) else [part]:
                self.assert_promised(row, each)

    def test_the_page_has_the_reply_of_every_verb(self):
        for number, name, *_ in table_below("## 6. Requests"):
            self.assertIn(name, self.members, f"verb {number} has no row below ### Replies in docs/protocol.md")

    def test_replies_have_the_members_that_the_page_promises(self):
        with pools.Pool(size=1) as pool:
            task = pool.client.run("py.fatal").id
            other = pool.client.run("py.fatal").id
            done = pool.client.run("py.echo").id
            asked = {"status": [], "workers": [], "worker": ["py-0"], "show": [task], "ls": [], "dead-ls": [], "config": [],
                     "types": [], "scale": ["py", 0, 1], "drain": [False], "pause": ["py.fatal"], "resume": ["py.fatal"],
                     "dead-retry": [[task]], "dead-remove": [[other]], "events": [False], "restart": ["py-0"], "heartbeat": ["py-0"],
                     "log": [done], "stop": [True]}
            self.assertEqual({*asked, "release"}, set(client.VERBS), "release needs a task that is held for a person")
            for verb, arguments in asked.items():
                document = pool.client.request(verb, *arguments)
                self.assertEqual(document["schema"], 1)
                self.assert_promised(verb, document)
                self.assert_parts_promised(verb, document)


if __name__ == "__main__":
    unittest.main(verbosity=2)
