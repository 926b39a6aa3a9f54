"""A raw HTTP client that sends any bytes and takes nothing on trust in what comes back.

Threads:  each exchange has a socket of its own.
Errors:   BadResponse when the server itself breaks RFC 9112; socket.timeout never escapes, it ends as "silent".
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

PROBE = b"GET /hello HTTP/1.1\r\nHost: probe\r\nX-Probe: 1\r\n\r\n"
END_OF_SENDING = object()
_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\x21-\x7e][\x20-\x7e]*\Z")
_FIELD = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\x21-\x7e\x80-\xff]([\x20-\x7e\t\x80-\xff]*[\x21-\x7e\x80-\xff])?)?\Z"
)


class BadResponse(AssertionError):
    """The server sent what RFC 9112 does not allow."""


@dataclass
class Response:
    """One response, interim or final."""

    status: int
    fields: dict[str, str]
    body: bytes = b""


@dataclass
class Exchange:
    """What came back. ``outcome`` is the statuses and how it ended: "200 400 close", "200 open", "silent"."""

    outcome: str
    responses: list[Response] = field(default_factory=list)

    @property
    def final(self) -> Response:
        """The first response that is not interim."""
        return next(r for r in self.responses if r.status >= 200)


class Reader:
    """Reads responses from a socket, as strictly as a server should read requests."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""
        self.ended = False

    def response(self, *, head: bool) -> Response | None:
        """The next response; None at the end of the stream."""
        block = self._until(b"\r\n\r\n")
        if block is None:
            if self._buffer:
                raise BadResponse(f"the stream ends within a head: {self._buffer!r}")
            return None
        lines = block.split(b"\r\n")
        status = _STATUS.match(lines[0])
        if status is None:
            raise BadResponse(f"status line {lines[0]!r}")
        response = Response(int(status[1]), self._fields(lines[1:]))
        self._check(response)
        if response.status >= 200 and response.status not in (204, 304) and not head:
            response.body = self._body(response)
        return response

    @staticmethod
    def _fields(lines: Sequence[bytes]) -> dict[str, str]:
        fields: dict[str, str] = {}
        for line in lines:
            parts = _FIELD.match(line)
            if parts is None:
                raise BadResponse(f"field line {line!r}")
            name = parts[1].decode().lower()
            if name in fields:
                raise BadResponse(f"{name} twice")
            fields[name] = (parts[2] or b"").decode("latin-1")
        return fields

    @staticmethod
    def _check(response: Response) -> None:
        has_length = "content-length" in response.fields
        if has_length and "transfer-encoding" in response.fields:
            raise BadResponse("Content-Length and Transfer-Encoding together")  # 9112 6.2
        if has_length and (response.status < 200 or response.status == 204):
            raise BadResponse(f"Content-Length in a {response.status}")  # 9110 8.6
        if response.status >= 200 and "date" not in response.fields:
            raise BadResponse("no Date")  # 9110 6.6.1

    def _body(self, response: Response) -> bytes:
        if response.fields.get("transfer-encoding") == "chunked":
            return self._chunks()
        if "content-length" in response.fields:
            return self._exactly(int(response.fields["content-length"]))
        while self._more():
            pass
        whole, self._buffer = self._buffer, b""
        return whole

    def _chunks(self) -> bytes:
        body = b""
        while True:
            size = int(self._line(), 16)
            if size == 0:
                if self._line() != b"":
                    raise BadResponse("trailers that nobody asked for")
                return body
            body += self._exactly(size)
            if self._line() != b"":
                raise BadResponse("a chunk does not end in CRLF")

    def _line(self) -> bytes:
        line = self._until(b"\r\n")
        if line is None:
            raise BadResponse(f"the stream ends within a line: {self._buffer!r}")
        return line

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._buffer:
            if not self._more():
                return None
        found, self._buffer = self._buffer.split(mark, 1)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._more():
                raise BadResponse(f"{size} bytes promised, {len(self._buffer)} came")
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _more(self) -> bool:
        try:
            got = self._sock.recv(65536)
        except ConnectionResetError:
            got = b""
        self._buffer += got
        self.ended = self.ended or not got
        return bool(got)


def exchange(
    port: int, send: bytes | Sequence[Any], *, responses: int, heads: Sequence[int] = (), timeout: float = 5.0
) -> Exchange:
    """Send, read up to ``responses`` final responses, then see whether the connection still serves.

    ``send`` is bytes, or a sequence of bytes and END_OF_SENDING; each part leaves in a packet of its own. ``heads`` are
    the indexes of final responses to HEAD. The outcome ends in "open" when a probe on the same connection is answered.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for part in [send] if isinstance(send, bytes) else send:
                if part is END_OF_SENDING:
                    sock.shutdown(socket.SHUT_WR)
                else:
                    sock.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server had seen enough; what it said is read below
        reader, got = Reader(sock), []
        try:
            while (finals := sum(r.status != 100 for r in got)) < responses:
                response = reader.response(head=finals in heads)
                if response is None:
                    return _result(got, "close")
                got.append(response)
            return _result(got, _ending(sock, reader))
        except TimeoutError:
            return _result(got, "silent")


def _ending(sock: socket.socket, reader: Reader) -> str:
    try:
        sock.sendall(PROBE)
        probe = reader.response(head=False)
    except (BrokenPipeError, ConnectionResetError):
        return "close"
    if probe is None:
        return "close"
    if probe.status == 200 and probe.body == b"Hello, World!":
        return "open"
    return f"{probe.status} unexpected"


def _result(got: list[Response], ending: str) -> Exchange:
    return Exchange(" ".join([*(str(r.status) for r in got), ending]), got)
