"""The program of docs/sdk.md (conformance) around the Python client."""
import datetime
import json
import sys
import threading

import warmpool
from warmpool import words

lock = threading.Lock()
SECONDS = ("timeout", "deadline", "expiry", "delay")


def say(what, name=None, **members):
    with lock:
        print(json.dumps({"says": what, "as": name, **members}), flush=True)


def given(payload):
    (kind, value), = payload.items()
    return bytes.fromhex(value) if kind == "hex" else warmpool.Packed(value) if kind == "packed" else value


def told(value):
    kind = "text" if isinstance(value, str) else "hex" if isinstance(value, bytes) else "value"
    return {kind: value.hex() if kind == "hex" else value}


def say_end(name, ask):
    """Says what becomes of it, whatever that is."""
    try:
        return ask()
    except Exception as error:
        said_end(name, error)


def said_end(name, fault):
    try:
        raise fault
    except warmpool.TaskError as error:
        verdict = {kind: words.Verdict(number).name.lower() for number, kind in warmpool.errors.BY_VERDICT.items()}[type(error)]
        say("settled", name, verdict=verdict, cause=error.cause, payload=told(error.error))
    except warmpool.Refused as error:
        # What the daemon refuses is of one request; an error (5xx) ends the connection and all that is open on it.
        lost = error.code >= 500
        say("lost" if lost else "refused", name, code=error.code, text=error.text, retry_after_ms=round(error.retry_after * 1000))
    except Exception as error:
        say("lost", name, text=str(error))


def wishes_of(name, options):
    """The options of a command as those of submit()."""
    for wish in SECONDS:
        if f"{wish}_ms" in options:
            options[wish] = options.pop(f"{wish}_ms") / 1000
    if "run_at_ms" in options:
        options["run_at"] = datetime.datetime.fromtimestamp(options.pop("run_at_ms") / 1000, datetime.timezone.utc)
    if options.pop("progress", False):
        options["progress"] = lambda done, text: say("progressed", name, permille=round(done * 1000), text=text)
        options["partial"] = lambda value: say("partial", name, payload=told(value))
    return options


def obey(program, command):
    """Calls the method of the program that the command names."""
    verb = command.pop("do")
    if "as" in command:
        command["name"] = command.pop("as")
    return getattr(program, verb if verb != "await" else "await_")(**command)


def follow(name, future):
    if future is None:
        return
    if say_end(name, lambda: say("accepted", name, id=str(future.accepted())) or True):
        say_end(name, lambda: say("settled", name, verdict="done", cause="done", payload=told(future.result())))


class Program:
    client = None

    def connect(self, socket, reconnect_ms):
        self.client = None
        try:
            self.client = warmpool.Client(socket, reconnect=reconnect_ms / 1000)
            say("connected")
        except (warmpool.WarmpoolError, warmpool.ProtocolError) as error:
            say("unconnected", code=getattr(error, "code", None), text=str(error))

    def submit(self, name, type, payload, options):
        threading.Thread(target=follow, daemon=True,
                         args=(name, say_end(name, lambda: self.client.submit(type, given(payload), **wishes_of(name, options))))).start()

    def await_(self, name, id):
        future = self.client.wait(int(id))
        threading.Thread(target=say_end, daemon=True, args=(
            name, lambda: say("settled", name, verdict="done", cause="done", payload=told(future.result())))).start()

    def cancel(self, name, id):
        def ask():
            rung, state = self.client.cancel(int(id))
            say("cancelled", name, rung=rung, state=state)

        threading.Thread(target=say_end, daemon=True, args=(name, ask)).start()

    def request(self, name, verb, arguments):
        threading.Thread(target=say_end, daemon=True, args=(
            name, lambda: say("reply", name, document=self.client.request(verb, *arguments)))).start()

    def close(self):
        if self.client is not None:
            self.client.close()
        say("closed")


if __name__ == "__main__":
    program = Program()
    for line in sys.stdin:
        obey(program, json.loads(line))
