#!/usr/bin/python3
"""Holds one SDK against the table.  run.py worker|client SDK [socket|fifo] [WORD...]: only the cases with these words."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import sdks  # noqa: E402
import table  # noqa: E402
from client_driver import ClientDriver  # noqa: E402
from worker_driver import WorkerDriver  # noqa: E402

FEATURES = {
    "worker": {"partial", "large", "progress", "report", "checkpoint", "asked", "credits", "recall", "cancel", "page", "msgpack", "context", "charges", "exceptions", "types", "concurrency", "cause",
               "reads-while-running", "form", "given", "term", "leave", "directory"},
    "client": {"partial", "large", "msgpack", "progress", "duplicate", "wishes", "documents", "labels"},
}


def suite(role, name, transport, words):
    cases, known = (table.WORKERS, sdks.WORKERS) if role == "worker" else (table.CLIENTS, sdks.CLIENTS)
    if name not in known or transport not in sdks.TRANSPORTS:
        sys.exit(f"no {role} {name} over {transport}; there are {', '.join(known)}, over {' and '.join(sdks.TRANSPORTS)}")
    sdk = known[name]

    kind = WorkerDriver if role == "worker" else ClientDriver

    def make():
        return kind(sdk, transport) if role == "worker" else kind(sdk)

    lacks = {**sdk.lacks, **(sdks.TRANSPORTS[transport] if role == "worker" else {})}

    class Conformance(unittest.TestCase):
        shared = None

        @classmethod
        def tearDownClass(cls):
            if cls.shared is not None:
                try:
                    cls.shared.finish()
                finally:
                    cls.shared.close()

    names = [case.name for case in cases]
    assert len(set(names)) == len(names), "two cases have the same name"
    for feature, why in lacks.items():
        assert feature in FEATURES[role] and why, f"{name} lacks {feature}: without a reason, or no feature of the table"
    for case in cases:
        assert set(case.needs) <= FEATURES[role], f"{case.name}: needs {case.needs}"
        if all(word in case.name for word in words):
            setattr(Conformance, f"test {case.name}", test_of(case, lacks, kind, make))
    return unittest.defaultTestLoader.loadTestsFromTestCase(Conformance)


def test_of(case, lacks, kind, make):
    def test(self):
        for feature in case.needs:
            if feature in lacks:
                self.skipTest(f"{feature}: {lacks[feature]}")
        mine, shared = type(self), None
        if kind.shares(case):
            shared, mine.shared = mine.shared, None
        driver = shared or make()
        try:
            take(driver, case)
            if kind.shares(case):
                driver.settle()
                mine.shared = driver
        finally:
            if mine.shared is not driver:
                driver.close()

    return test


def take(driver, case):
    for at, (step, *arguments) in enumerate(case.steps, 1):
        method = step.replace("-", "_")
        try:
            (getattr(driver, method + "_", None) or getattr(driver, method))(*arguments)
        except AssertionError as error:
            raise AssertionError(f"step {at}, {step} {str(arguments)[:200]} (docs/protocol.md, section {case.section}): {error}\n"
                                 f"It wrote: {driver.said()}") from None


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in FEATURES:
        sys.exit(__doc__)
    TRANSPORT = sys.argv[3] if len(sys.argv) > 3 else "socket"
    RESULT = unittest.TextTestRunner(verbosity=2 if sys.argv[4:] else 1).run(suite(sys.argv[1], sys.argv[2], TRANSPORT, sys.argv[4:]))
    for TEST, WHY in RESULT.skipped:
        print(f"left out: {TEST.id().split('test ', 1)[1]}: {WHY}")
    sys.exit(not RESULT.wasSuccessful() or RESULT.testsRun == 0)
