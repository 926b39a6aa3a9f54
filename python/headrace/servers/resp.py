"""The Redis protocol (RESP2) in a few lines, for probes and fixtures: one command, one answer, one deadline.

Not a client to measure with; that is ``headrace.redis``. Fixtures must not depend on what they test.
Reference: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

import socket
import ssl
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from headrace import errors

Reply = Any  # bytes, int, None, or a list of these


class RespError(errors.ServerError):
    """The server answered with an error; the text is its own."""


class RespClient:
    """A blocking connection. ``timeout`` in seconds bounds each read and write; OSError when it passes."""

    def __init__(self, url: str, *, timeout: float = 2.0) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        self._socket = _connect(parts.scheme, parts.hostname, parts.port, unquote(parts.path), query, timeout)
        self._file = self._socket.makefile("rb")
        try:
            self._log_in(parts.username, parts.password, _database(parts.scheme, parts.path, query))
        except BaseException:
            self.close()
            raise

    def call(self, *words: str | bytes | int | float) -> Reply:
        """Sends one command and returns its reply; raises RespError for an error reply."""
        encoded = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        head = b"*%d\r\n" % len(encoded)
        self._socket.sendall(head + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))
        return self._read()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> RespClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _log_in(self, user: str | None, password: str | None, database: str) -> None:
        if password:
            words = ["AUTH", unquote(user), unquote(password)] if user else ["AUTH", unquote(password)]
            self.call(*words)
        if database:
            self.call("SELECT", database)

    def _read(self) -> Reply:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RespError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._read_exactly(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._read() for _ in range(int(rest))]
        raise errors.ProtocolError(f"not a Redis server: it answered {line[:40]!r}")

    def _read_exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if data is None or len(data) != size:
            raise ConnectionError("the server closed the connection")
        return data


def _database(scheme: str, path: str, query: dict[str, list[str]]) -> str:
    return query.get("db", [""])[0] if scheme == "unix" else path.strip("/")


def _connect(
    scheme: str, host: str | None, port: int | None, path: str, query: dict[str, list[str]], timeout: float
) -> socket.socket:
    if scheme == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(path)
        except BaseException:
            sock.close()
            raise
        return sock
    if scheme not in ("redis", "rediss"):
        raise errors.InvalidArgument(f"not a Redis URL: scheme {scheme!r}; known: redis, rediss, unix")
    plain = socket.create_connection((host or "127.0.0.1", port or 6379), timeout)
    if scheme == "redis":
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain
    try:
        return _tls_context(query).wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _tls_context(query: dict[str, list[str]]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=query.get("cafile", [None])[0])
    if query.get("verify", ["1"])[0] == "0":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate := query.get("certfile", [None])[0]:
        context.load_cert_chain(certificate, query.get("keyfile", [None])[0])
    return context
