"""Applications and raw clients for the ASGI tests."""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

Scope = dict[str, Any]
App = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


def http_only(handler: App) -> App:
    """Without a lifespan, so that ``handler`` sees requests alone."""

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        await handler(scope, receive, send)

    return app


class Client:
    """One connection; bytes as they are."""

    def __init__(self, url: str) -> None:
        host, port = re.match(r"http://([^:]+):(\d+)", url).groups()  # type: ignore[union-attr]
        self.sock = socket.create_connection((host, int(port)), timeout=10)
        self.unread = b""

    def send(
        self, method: str = "GET", target: str = "/", *headers: str, content: bytes = b"", version: str = "1.1"
    ) -> None:
        lines = [f"{method} {target} HTTP/{version}", "Host: test", *headers]
        if content:
            lines.append(f"Content-Length: {len(content)}")
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + content)

    def head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self.unread:
            more = self.sock.recv(65536)
            assert more, f"the connection ended within a head: {self.unread!r}"
            self.unread += more
        text, _, self.unread = self.unread.partition(b"\r\n\r\n")
        first, *fields = text.decode("latin-1").split("\r\n")
        return int(first.split()[1]), {k.lower(): v for k, _, v in (f.partition(": ") for f in fields)}

    def exactly(self, n: int) -> bytes:
        while len(self.unread) < n:
            more = self.sock.recv(65536)
            assert more, f"the connection ended after {len(self.unread)} of {n} bytes"
            self.unread += more
        got, self.unread = self.unread[:n], self.unread[n:]
        return got

    def line(self) -> bytes:
        while b"\r\n" not in self.unread:
            self.unread += self.exactly_some()
        got, _, self.unread = self.unread.partition(b"\r\n")
        return got

    def exactly_some(self) -> bytes:
        more = self.sock.recv(65536)
        assert more, "the connection ended"
        return more

    def chunk(self) -> bytes:
        """The next chunk; empty: the last one."""
        size = int(self.line(), 16)
        content = self.exactly(size)
        assert self.line() == b""
        return content

    def response(self, *, of_head: bool = False) -> tuple[int, dict[str, str], bytes]:
        status, fields = self.head()
        if of_head or status in (204, 304):
            return status, fields, b""
        if fields.get("transfer-encoding") == "chunked":
            return status, fields, b"".join(iter(self.chunk, b""))
        if "content-length" in fields:
            return status, fields, self.exactly(int(fields["content-length"]))
        return status, fields, self.rest()

    def get(self, target: str = "/", *headers: str) -> tuple[int, dict[str, str], bytes]:
        self.send("GET", target, *headers)
        return self.response()

    def rest(self) -> bytes:
        """Until the end of the stream."""
        got, self.unread = self.unread, b""
        while more := self.sock.recv(65536):
            got += more
        return got

    def close(self) -> None:
        self.sock.close()


class Seen:
    """What an application saw, brought to the test."""

    def __init__(self) -> None:
        self._things: queue.Queue[Any] = queue.Queue()

    def put(self, thing: Any) -> None:
        self._things.put(thing)

    def get(self) -> Any:
        return self._things.get(timeout=30)


@contextlib.contextmanager
def served(*arguments: str, target: str = "asgi_app:app") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its url, once it serves."""
    process = serving(*arguments, target=target)
    assert process.stderr is not None
    try:
        text = ""
        while (found := re.search(r"serving \S+ on (\S+)", text)) is None:
            line = process.stderr.readline()
            assert line, f"it ended: {text}"
            text += line
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def serving(*arguments: str, target: str) -> subprocess.Popen[str]:
    """``headrace serve http --asgi`` with an application of this folder."""
    command = [sys.executable, "-m", "headrace", "serve", "http", "--asgi", target, "--port", "0", *arguments]
    return subprocess.Popen(
        command, cwd=Path(__file__).parent, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
