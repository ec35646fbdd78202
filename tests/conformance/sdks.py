"""The SDKs that the table is held against, and what each does not offer by design, with the reason."""
import os
import sys
from dataclasses import dataclass, field

import lines_program
from page import HERE, PROJECT

BIN = os.environ.get("WARMPOOL_BIN_DIR") or os.path.join(PROJECT, "build", "release", "bin")
NODE = os.environ.get("WARMPOOL_NODE", "node")
PYTHON = [sys.executable, "-B"]
PYTHON_PATH = {"PYTHONPATH": os.path.join(PROJECT, "sdk", "python")}


@dataclass
class Sdk:
    command: list
    lacks: dict = field(default_factory=dict)  # feature of the table: why
    environment: dict = field(default_factory=dict)
    connects: list = field(default_factory=list)  # arguments of one that connects by itself; SOCKET, CONCURRENCY and CREDITS stand for them


def program(name):
    return os.path.join(BIN, name)


def own(name):
    return os.path.join(HERE, name)


# By transport: what no worker can have there.
TRANSPORTS = {
    "socket": {},
    "fifo": {
        "recall": "never agreed over FIFOs (section 3)",
        "page": "a FIFO carries no descriptors (section 3)",
        "large": "a FIFO carries no descriptors (section 3)",
        "form": "what a frame may hold is judged by the same code as over a socket, where these cases are",
    },
    # A worker that connects by itself, with --once.
    "connect": {
        "given": "nobody started it, so it is told nothing by its environment (section 1)",
        "term": "at SIGTERM it finishes what it has and leaves (section 1), see the cases of feature leave",
        "form": "what a frame may hold is judged by the same code as over a socket, where these cases are",
    },
}
# And what none has that the daemon started.
STARTED = {"leave": "only a worker that connected by itself leaves (section 1)"}
for each in ("socket", "fifo"):
    TRANSPORTS[each].update(STARTED)

ONE_AFTER_THE_OTHER = "its handlers run one after the other on the main thread; `size` of the class gives more workers (docs/worker.md)"

CPP_LACKS = {
    "concurrency": ONE_AFTER_THE_OTHER,
    "cause": "its context says that the run was cancelled, in one load, and no more (worker/context.hpp)",
}

PLUGIN_LACKS = {**CPP_LACKS, "report": "its C interface has progress and cancel, and nothing about the worker as a whole (worker/plugin.h)"}

STOCK_CONNECTS = ["--connect", "SOCKET", "--class", "own", "--once", "--credits", "64"]

LINES_LACKS = {
    "concurrency": ONE_AFTER_THE_OTHER,
    "cause": "its program is told by SIGTERM, which has no cause",
    "msgpack": "a line of JSON: what is no text comes and goes as base64, as plain bytes",
    "charges": "the line has task, round, attempt, type and timeout; a fencing token is for who speaks frames",
    "exceptions": "a program that dies ends its worker, and the daemon counts a crash (tests/worker/lines_test.cpp)",
    "types": "its program is given every type of its class",
    "report": "a line says what a task does, and nothing about the worker as a whole",
}

WORKERS = {
    "cpp": Sdk([program("test-conformance-worker")], CPP_LACKS, connects=["--connect", "SOCKET"]),
    "plugin": Sdk([program("warmpool-worker"), "--plugin", program("test-conformance-plugin.so")], PLUGIN_LACKS, connects=STOCK_CONNECTS),
    "python": Sdk([*PYTHON, "-m", "warmpool", own("python_worker.py")], environment=PYTHON_PATH,
                  connects=["--connect", "--socket", "SOCKET", "--class", "own", "--once", "--concurrency", "CONCURRENCY"]),
    "python-async": Sdk([*PYTHON, "-m", "warmpool", own("python_async_worker.py")], environment=PYTHON_PATH,
                        connects=["--connect", "--socket", "SOCKET", "--class", "own", "--once", "--concurrency", "CONCURRENCY"]),
    "node": Sdk([NODE, os.path.join(PROJECT, "sdk", "node", "src", "main.js"), own("node_worker.mjs")], {
        "page": "Node receives no descriptors, so it beats by frames (docs/sdk.md)",
        "large": "Node receives and sends no descriptors, so bodies come inline (docs/sdk.md)",
    }, connects=["--connect", "--socket", "SOCKET", "--class", "own", "--once", "--concurrency", "CONCURRENCY"]),
    "lines": Sdk([program("warmpool-worker"), "--wrap", "lines", "--checkpoint-signal", "USR1", "--", sys.executable, "-I", "-S",
                  own("lines_program.py")], LINES_LACKS,
                 connects=[*STOCK_CONNECTS, "--types", ",".join([*lines_program.HANDLERS, "context"])]),
    # The same program, started by somebody else.
    "over-fifos": Sdk([*PYTHON, own("over_fifos.py"), own("lines_program.py"), program("warmpool-worker")], {
        **LINES_LACKS,
        "cancel": "whoever has started the program is who can tell it anything but a line (docs/worker.md)",
        "asked": "likewise",
        "term": "likewise",
    }),
}

CLIENTS = {
    "cpp": Sdk([program("test-conformance-client")], {
        "documents": "a document is handed over as the text that came; who reads it decodes it (client/client.hpp)",
        "labels": "a result is handed over as the bytes that came, with their label (client/events.hpp)",
    }),
    "python": Sdk([*PYTHON, own("python_client.py")], {
        "duplicate": "its future is of the task, whoever submitted it first",
    }, PYTHON_PATH),
    "python-async": Sdk([*PYTHON, own("python_async_client.py")], {
        "duplicate": "its future is of the task, whoever submitted it first",
    }, PYTHON_PATH),
    "node": Sdk([NODE, own("node_client.mjs")], {
        "large": "Node receives and sends no descriptors, so results come inline (docs/sdk.md)",
        "labels": "bytes that are not what their label says are handed over as bytes (sdk/node/src/content.js)",
    }),
}
