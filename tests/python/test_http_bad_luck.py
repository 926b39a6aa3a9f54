"""headrace.http.App when clients, threads and processes misbehave."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_helpers import Asking, ask, until

from headrace.http import App, Request


@pytest.fixture
def app() -> Iterator[App]:
    made = App(thread_workers=2)
    yield made
    made.close()


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_half_a_body_never_reaches_a_handler(app: App) -> None:
    called = threading.Event()
    app.post("/")(lambda request: called.set())
    with app.running(body_timeout_s=0.05) as url:
        with connect(url) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
            assert client.recv(100).startswith(b"HTTP/1.1 408 ")
        with connect(url) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
        assert ask(url, "/").status == 405
    assert not called.is_set()


def test_a_client_that_leaves_while_it_waits_is_dropped(app: App) -> None:
    go = threading.Event()
    calls: list[str] = []

    @app.get("/{n}", concurrency=1)
    def slow(request: Request) -> str:
        calls.append(request.params["n"])
        go.wait(20)
        return "done"

    with app.running() as url:
        first = Asking(url, "/first")
        until(lambda: app.stats()["GET /{n}"].running == 1)
        with connect(url) as client:
            client.sendall(b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
            until(lambda: app.stats()["GET /{n}"].waiting == 1)
        until(lambda: app.stats()["GET /{n}"].waiting == 0)
        go.set()
        assert first.answer().body == b"done"
        assert ask(url, "/third").body == b"done"
    assert calls == ["first", "third"]
    assert app.stats()["GET /{n}"].cancelled == 1


def test_a_thread_sees_that_its_client_has_left(app: App) -> None:
    begun, seen = threading.Event(), threading.Event()

    @app.get("/")
    def slow(request: Request) -> None:
        begun.set()
        until(lambda: request.cancelled)
        seen.set()

    with app.running() as url:
        with connect(url) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert begun.wait(20)
        assert seen.wait(20)


def test_thousands_of_silent_connections_leave_room_for_others(app: App) -> None:
    wanted = 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * wanted), hard))
    silent: list[socket.socket] = []
    app.get("/", executor="thread")(lambda request: "here")
    try:
        with app.running(grace_s=0.0) as url:
            silent.extend(connect(url) for _ in range(wanted))
            assert ask(url, "/").body == b"here"
    finally:
        for each in silent:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_every_late_answer_stays_with_its_request(app: App) -> None:
    """Pipelined requests whose answers come in any order: each client gets its own."""

    @app.get("/{n}", concurrency=2)
    def slow(request: Request) -> str:
        n = int(request.params["n"])
        threading.Event().wait(0.001 * (n % 3))
        return f"<{n}>"

    with app.running(threads=2) as url:
        for _ in range(5):
            with connect(url) as client:
                client.sendall(b"".join(f"GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for n in range(20)))
                got = b""
                while b"<19>" not in got:
                    got += client.recv(65536)
            found = [int(part.split(b">")[0]) for part in got.split(b"<")[1:]]
            assert found == list(range(20))


def test_an_app_that_is_dropped_ends_its_threads() -> None:
    def threads() -> int:
        found = 0
        for task in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError):  # it may end in between
                found += Path(f"/proc/self/task/{task}/comm").read_text().startswith("http-thread")
        return found

    before = threads()
    app = App()
    app.get("/")(lambda request: "here")
    with app.running() as url:
        ask(url, "/")
    assert threads() == before + 1
    gone = weakref.ref(app)
    del app
    gc.collect()
    assert gone() is None
    until(lambda: threads() == before)  # the kernel forgets a thread a moment after it was joined


def run_program(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)


PROGRAM = """
import os, sys
sys.path.insert(0, {tests!r})
from http_helpers import ask
from headrace.http import App
app = App()
app.get("/thread")(lambda request: str(os.getpid()))
app.get("/inline", executor="inline")(lambda request: str(os.getpid()))
"""


def test_a_child_of_fork_serves_by_itself_and_leaves_the_parent_alone() -> None:
    text = (
        PROGRAM.format(tests=os.path.dirname(__file__))
        + """
with app.running() as url:
    for path in ("/thread", "/inline"):
        assert int(ask(url, path).body) == os.getpid()
    child = os.fork()
    if child == 0:
        assert app.stats() == {}
        with app.running() as own:
            for path in ("/thread", "/inline"):
                assert int(ask(own, path).body) == os.getpid()
        app.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    for path in ("/thread", "/inline"):
        assert int(ask(url, path).body) == os.getpid()
print("good")
"""
    )
    result = run_program(text)
    assert (result.stdout, result.returncode) == ("good\n", 0), result.stderr


def test_a_program_that_ends_waits_for_handlers_in_threads() -> None:
    text = (
        PROGRAM.format(tests=os.path.dirname(__file__))
        + """
import threading
begun = threading.Event()
@app.get("/slow")
def slow(request):
    begun.set()
    threading.Event().wait(0.5)
    print("ended")
running = app.running(grace_s=0.0)
url = running.__enter__()
import socket
client = socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])))
client.sendall(b"GET /slow HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
begun.wait(20)
"""
    )
    result = run_program(text)
    assert (result.stdout, result.returncode, result.stderr) == ("ended\n", 0, "")


def test_a_program_may_end_while_it_serves() -> None:
    text = (
        PROGRAM.format(tests=os.path.dirname(__file__))
        + """
running = app.running()
url = running.__enter__()
ask(url, "/thread"), ask(url, "/inline")
print("good")
"""
    )
    result = run_program(text)
    assert (result.stdout, result.returncode, result.stderr) == ("good\n", 0, "")
