"""The client inside a web application: each POST /TYPE is a task, and its result the answer.

    python3 web.py [--port N | --unix PATH] [--seconds N] TYPE...   only these types may be asked for
    curl --data /etc/hostname http://127.0.0.1:8080/file.digest

`application` is WSGI, for any server; the one of this program listens on the loopback or on a Unix socket only. What it takes is
bounded: bytes of a body, requests at once (more get 503 at once, which no queue of ours has to hold), and the time of each.
"""
import argparse
import http
import json
import os
import socket
import socketserver
import threading
import wsgiref.simple_server

import warmpool

BODY_BYTES_MAX, OPEN_MAX, SECONDS_MAX = 1 << 20, 64, 30
PIECE_BYTES = 256 << 10  # of a result


class Application:
    """Threads: any. One client serves all requests."""

    def __init__(self, client, types, open_max=OPEN_MAX, seconds_max=SECONDS_MAX):
        self._client, self._types, self._seconds_max = client, frozenset(types), seconds_max
        self._room = threading.BoundedSemaphore(open_max)

    def __call__(self, environ, start_response):
        if not self._room.acquire(blocking=False):
            return answer(start_response, 503, "too many requests are open", retry_after=1)
        try:
            return self._serve(environ, start_response)
        finally:
            self._room.release()

    def _serve(self, environ, start_response):
        task_type = environ.get("PATH_INFO", "").lstrip("/")
        if task_type not in self._types:
            return answer(start_response, 404, "no such type")
        if environ["REQUEST_METHOD"] != "POST":
            return answer(start_response, 405, "POST the payload")
        length = environ.get("CONTENT_LENGTH") or ""
        if not length.isascii() or not length.isdigit():
            return answer(start_response, 411, "say how long the body is")
        if int(length) > BODY_BYTES_MAX:
            return answer(start_response, 413, f"at most {BODY_BYTES_MAX} bytes")
        payload = environ["wsgi.input"].read(int(length))
        if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() == "application/json":
            try:
                payload = json.loads(payload)
            except (ValueError, RecursionError):
                return answer(start_response, 400, "the body is no JSON")
        return self._run(task_type, payload, start_response)

    def _run(self, task_type, payload, start_response):
        """A task that nobody waits for any more is cancelled, also when this whole program dies."""
        future = self._client.submit(task_type, payload, timeout=self._seconds_max, expiry=self._seconds_max, cancel_on_disconnect=True)
        try:
            return answer(start_response, 200, future.result(self._seconds_max))
        except TimeoutError:
            future.cancel()
            return answer(start_response, 504, "not done in time")
        except warmpool.Refused as error:  # the queue is full, or the pool drains: not for ever
            status = 503 if error.retry_after else 400
            return answer(start_response, status, error.text, retry_after=error.retry_after)
        except warmpool.TaskError as error:
            gone = isinstance(error, warmpool.TaskExpired) or error.cause in ("timeout", "deadline")
            return answer(start_response, 504 if gone else 422, error.error or error.cause)
        except (warmpool.Lost, warmpool.NoDaemon) as error:
            return answer(start_response, 503, str(error), retry_after=1)


def answer(start_response, status, value, retry_after=0.0):
    as_it_is = isinstance(value, (bytes, memoryview))  # a large result is a view of what the daemon handed over
    text = value if as_it_is else json.dumps(value if status == 200 else {"error": value}).encode()
    headers = [("Content-Type", "application/octet-stream" if as_it_is else "application/json"), ("Content-Length", str(len(text)))]
    if retry_after:
        headers.append(("Retry-After", str(max(1, round(retry_after)))))
    start_response(f"{status} {http.HTTPStatus(status).phrase}", headers)
    return (bytes(text[at:at + PIECE_BYTES]) for at in range(0, len(text), PIECE_BYTES))


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    timeout = 10  # of a peer that says nothing

    def address_string(self):
        return "local"

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class UnixServer(Server):
    address_family = socket.AF_UNIX

    def server_bind(self):
        before = os.umask(0o077)  # only this user may connect
        try:
            socketserver.TCPServer.server_bind(self)
        finally:
            os.umask(before)
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()

    def get_request(self):
        connection, _ = super().get_request()
        return connection, ("local", 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("types", nargs="+", metavar="TYPE")
    parser.add_argument("--port", type=int, default=8080, help="of 127.0.0.1; 0: any that is free")
    parser.add_argument("--seconds", type=float, default=SECONDS_MAX, help="that a request may take, also while the daemon is away [30]")
    parser.add_argument("--unix", metavar="PATH", help="a socket in place of a port")
    wanted = parser.parse_args()
    with warmpool.Client() as client:
        application = Application(client, wanted.types, seconds_max=wanted.seconds)
        server = UnixServer(wanted.unix, Handler) if wanted.unix else Server(("127.0.0.1", wanted.port), Handler)
        with server:
            server.set_app(application)
            print("listening on", wanted.unix or f"http://127.0.0.1:{server.server_port}", flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                pass


if __name__ == "__main__":
    main()
