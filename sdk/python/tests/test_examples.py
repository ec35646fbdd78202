"""The programs of examples/, each doing what its page says."""
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading

import pytest
from pool import HERE, PACKAGE, PATIENCE, Pool, eventually

import warmpool

EXAMPLES = os.path.join(PACKAGE, "examples")


@pytest.fixture(scope="module")
def thumbnails():
    pytest.importorskip("PIL", reason="Pillow is missing: scripts/setup.sh, or apt-get install python3-pil")
    with Pool({"types": ["image.*"], "size": 2}, module=os.path.join(EXAMPLES, "thumbnails.py")) as pool, pool.client() as client:
        yield client


def picture(path, size, name="JPEG", **options):
    from PIL import Image
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    image.save(path, name, **options)
    return str(path)


def test_thumbnails_fit_and_look_like_their_source(thumbnails, tmp_path):
    from PIL import Image
    wanted = {(800, 400): (64, 32), (300, 900): (21, 64), (40, 20): (40, 20)}
    sources = [picture(tmp_path / f"{width}x{height}.jpg", (width, height)) for width, height in wanted]
    payloads = [{"source": source, "target": source[:-3] + "png", "pixels": 64} for source in sources]
    for result, size in zip(thumbnails.map("image.thumbnail", payloads), wanted.values()):
        assert (result["width"], result["height"]) == size
        with Image.open(result["target"]) as drawn:
            assert (drawn.format, drawn.size) == ("PNG", size)
            assert drawn.getpixel((0, 0))[0] < 60 and drawn.getpixel((0, size[1] - 1))[0] > 195  # dark above, bright below
        assert os.path.getsize(result["target"]) == result["bytes"]
    assert sorted(os.listdir(tmp_path)) == sorted(os.path.basename(name) for each in payloads for name in (each["source"], each["target"]))


def test_a_picture_is_turned_as_its_camera_was(thumbnails, tmp_path):
    from PIL import Image
    exif = Image.Exif()
    exif[0x0112] = 6
    source = picture(tmp_path / "turned.jpg", (200, 100), exif=exif)
    result = thumbnails.run("image.thumbnail", {"source": source, "target": str(tmp_path / "turned.png"), "pixels": 50})
    assert (result["width"], result["height"]) == (25, 50)


def test_what_is_no_picture_fails_for_good_and_leaves_nothing(thumbnails, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    for payload in ({"source": str(text), "target": str(tmp_path / "x.png")}, {"source": str(tmp_path / "none"), "target": "x"},
                    {"source": str(tmp_path), "target": "x"}, {"source": "x", "target": "y", "pixels": 0}, ["x"], {}):
        with pytest.raises(warmpool.TaskDead) as caught:
            thumbnails.run("image.thumbnail", payload)
        assert caught.value.failures == 1 and "Traceback" not in caught.value.error
    assert os.listdir(tmp_path) == ["text.jpg"]


@contextlib.contextmanager
def web(pool, *arguments):
    running = subprocess.Popen([sys.executable, "-B", os.path.join(EXAMPLES, "web.py"), *arguments], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": PACKAGE, "WARMPOOL_SOCKET": pool.socket})
    try:
        said = running.stdout.readline().split()
        assert said[:2] == ["listening", "on"]
        yield said[2]
    finally:
        running.kill()
        running.wait(PATIENCE)
        running.stdout.close()


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.host)


def ask(connection, method, path, body=None, headers=None):
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    value = response.read()
    connection.close()
    return response.status, value, response


@pytest.fixture(scope="module")
def served():
    with Pool(module="handlers.py", retries=0) as pool, web(pool, "--port", "0", "echo", "same", "fail", "large") as address:
        yield http.client.HTTPConnection(address.removeprefix("http://"), timeout=PATIENCE)


def test_a_request_is_a_task_and_its_result_the_answer(served):
    assert ask(served, "POST", "/echo", b"\x00\xffbytes")[:2] == (200, b"\x00\xffbytes")
    assert ask(served, "POST", "/large", b"3000001", {"Content-Type": "application/json"})[:2] == (200, b"x" * 3_000_001)
    assert ask(served, "POST", "/echo", b"")[:2] == (200, b"")
    status, value, response = ask(served, "POST", "/same", b'{"a": [1]}', {"Content-Type": "application/json"})
    assert (status, json.loads(value), response.headers["Content-Type"]) == (200, {"a": [1]}, "application/json")


def test_a_request_that_is_wrong_says_so(served):
    for method, path, body, headers, status in [
            ("POST", "/nothing", b"", {}, 404), ("POST", "/pid", b"", {}, 404), ("GET", "/echo", None, {}, 405),
            ("POST", "/echo", None, {"Content-Length": "-1"}, 411), ("POST", "/echo", None, {"Content-Length": str(2 << 20)}, 413)]:
        assert ask(served, method, path, body, headers)[0] == status, (method, path)
    as_json = {"Content-Type": "application/json; charset=utf-8"}
    assert ask(served, "POST", "/same", b"[" * 100_000, as_json)[0] == 400
    assert ask(served, "POST", "/fail", b"9", as_json)[:2] == (422, b'{"error": "failure 1"}')


def test_requests_beyond_the_bound_are_turned_away_at_once_and_time_ends():
    sys.path.insert(0, EXAMPLES)
    try:
        import web as example
    finally:
        sys.path.remove(EXAMPLES)
    with Pool(module="handlers.py") as pool, pool.client() as client:
        application = example.Application(client, ["heed"], open_max=1, seconds_max=0.5)
        inside, seen = threading.Event(), {}

        class Body:
            def read(self, count):
                inside.set()
                return b"600"[:count]

        def request(name):
            def start(status, headers):
                seen[name] = status[:3], dict(headers)

            environ = {"PATH_INFO": "/heed", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": "3", "wsgi.input": Body()}
            return b"".join(application(environ, start))

        first = threading.Thread(target=request, args=("first",))
        first.start()
        assert inside.wait(PATIENCE)
        request("second")
        assert seen["second"][0] == "503" and seen["second"][1]["Retry-After"] == "1"
        first.join(PATIENCE)
        assert seen["first"][0] == "504"
        request("third")  # there is room again
        assert seen["third"][0] == "504"


def test_it_listens_on_a_unix_socket_of_this_user_only(tmp_path):
    path = str(tmp_path / "web.sock")
    with Pool(module="handlers.py") as pool, web(pool, "--unix", path, "echo"):
        assert os.stat(path).st_mode & 0o077 == 0
        assert ask(UnixConnection(path), "POST", "/echo", b"over a file")[:2] == (200, b"over a file")


def test_when_the_daemon_has_gone_a_request_ends_in_time(tmp_path):
    path = str(tmp_path / "web.sock")
    with Pool(module="handlers.py") as pool, web(pool, "--unix", path, "--seconds", "5", "heed.noted"):
        asked = UnixConnection(path)
        noted = tmp_path / "noted"
        asked.request("POST", "/heed.noted", json.dumps(str(noted)).encode(), {"Content-Type": "application/json"})
        eventually(noted.exists, "the task runs")
        pool.end()
        assert asked.getresponse().status in (503, 504)  # how the daemon's end finds it: lost, or late
        asked.close()
