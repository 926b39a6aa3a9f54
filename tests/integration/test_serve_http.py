"""headrace serve http: the command, its drain under load, and its reload."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import headrace.load

APP = """
import threading, time
import headrace.http
app = headrace.http.App(thread_workers=8, process_workers=1)

@app.get("/thread")
def thread(request):
    time.sleep(0.002)
    return "thread\\n"

@app.get("/inline", executor="inline")
def inline(request):
    return "inline\\n"

@app.get("/process", executor="process")
def process(request):
    return "process\\n"

@app.get("/asyncio")
async def coroutine(request):
    return "asyncio\\n"
"""


class Command:
    """A `headrace serve http` under test."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "headrace", "serve", "http", *arguments, "--port", "0"],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self.told: list[str] = []

    def url(self) -> str:
        """Of the next start."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.told.append(line)
            if found := re.search(r"serving \S+ on (http://\S+)", line):
                return found[1]
        raise AssertionError("".join(self.told))

    def until_told(self, text: str) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.told.append(line)
            if text in line:
                return
        raise AssertionError("".join(self.told))

    def end(self, number: int = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        _, rest = self._process.communicate(timeout=60)
        self.told.append(rest)
        return self._process.returncode

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    with contextlib.ExitStack() as stack:

        def start(*arguments: str, text: str = APP) -> Command:
            (tmp_path / "shop.py").write_text(text)
            command = Command(tmp_path, *arguments)
            stack.callback(command.kill)
            return command

        yield start


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return bytes(answer.read())


def test_it_serves_every_executor_and_ends_with_sigterm(serve: Callable[..., Command], tmp_path: Path) -> None:
    command = serve("shop:app", "--threads", "2", "--access-log", str(tmp_path / "log"))
    url = command.url()
    for name in ("thread", "inline", "process", "asyncio"):
        assert get(f"{url}/{name}") == f"{name}\n".encode()
    assert command.end() == 0
    assert (tmp_path / "log").read_text().count("GET /") == 4


def test_ctrl_c_ends_it(serve: Callable[..., Command]) -> None:
    command = serve("shop:app")
    command.url()
    assert command.end(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("target", "says"),
    [("shop", "write module:app"), ("nowhere:app", "no module 'nowhere'"), ("shop:other", "no headrace.http.App")],
)
def test_what_cannot_be_served_is_one_line(serve: Callable[..., Command], target: str, says: str) -> None:
    command = serve(target)
    assert command.wait() == 2
    text = "".join(command.told)
    assert says in text
    assert text.count("\n") == 1


@pytest.mark.parametrize("name", ["thread", "process", "asyncio", "inline"])
def test_sigterm_under_load_drops_no_accepted_request(serve: Callable[..., Command], name: str) -> None:
    command = serve("shop:app")
    url = command.url()
    assert get(f"{url}/{name}")
    stop = threading.Timer(1.0, os.kill, (command.pid, signal.SIGTERM))
    stop.start()
    result = headrace.load.http(f"{url}/{name}", users=16, duration_s=2.0, drain_s=5.0, live=False, timeout=20.0)
    stop.join()
    assert command.wait() == 0
    assert result.transactions > 100, result.counts
    # Once the port is closed new connections are refused; what had been accepted was answered.
    assert {name for name, n in result.outcomes.items() if n} <= {"ok", "refused"}, (result.outcomes, result.samples)


def test_a_change_starts_it_again(serve: Callable[..., Command], tmp_path: Path) -> None:
    command = serve("shop:app", "--reload")
    url = command.url()
    assert get(f"{url}/inline") == b"inline\n"
    (tmp_path / "shop.py").write_text(APP.replace('"inline\\n"', '"changed\\n"'))
    assert command.url() == url
    assert get(f"{url}/inline") == b"changed\n"
    (tmp_path / "shop.py").write_text("app = ")
    command.until_told("SyntaxError")
    (tmp_path / "shop.py").write_text(APP)
    assert command.url() == url
    assert get(f"{url}/inline") == b"inline\n"
    assert command.end() == 0
