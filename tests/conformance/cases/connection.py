"""Keeping and closing connections (RFC 9112, section 9)."""

from __future__ import annotations

from tests.conformance.case import SERVED, Case, echo, request, table
from tests.conformance.exchange import END_OF_SENDING

START = b"GET /hello HTTP/1.1"
OLD = b"GET /hello HTTP/1.0"

CASES = [
    *table(
        "9112 9.3",
        SERVED,
        {
            "HTTP/1.1 persists": request(),
            "keep-alive in HTTP/1.1": request(START, b"Connection: keep-alive"),
            "unknown connection options": request(START, b"Connection: x, y"),
            "an empty Connection": request(START, b"Connection:"),
            "keep-alive in HTTP/1.0": request(OLD, b"Connection: keep-alive"),
            "Keep-Alive in mixed case": request(OLD, b"Connection: Keep-Alive"),
            "close within another word": request(START, b"Connection: closed"),
        },
    ),
    *table(
        "9112 9.6",
        ("200 close",),
        {
            "close": request(START, b"Connection: close"),
            "close in mixed case": request(START, b"Connection: Close"),
            "close in a list": request(START, b"Connection: x, close"),
            "close in a list with empty elements": request(START, b"Connection: , close ,"),
            "close in a second line": request(START, b"Connection: x", b"Connection: close"),
            "close and keep-alive": request(START, b"Connection: keep-alive, close"),
            "HTTP/1.0 does not persist": request(OLD),
            "close in HTTP/1.0": request(OLD, b"Connection: close"),
            "close and keep-alive in HTTP/1.0": request(OLD, b"Connection: close, keep-alive"),
            "what follows close is not served": request(START, b"Connection: close") + request(),
        },
    ),
    Case(
        "a response that ends the connection says so",
        "9112 9.6",
        request(START, b"Connection: close"),
        ("200 close",),
        fields=("connection",),
    ),
    Case(
        "a kept HTTP/1.0 connection is told",
        "9112 9.3",
        request(OLD, b"Connection: keep-alive"),
        SERVED,
        fields=("connection",),
    ),
    Case(
        "a stream in HTTP/1.0 ends with the connection",
        "9112 6.3",
        request(b"GET /stream/70000 HTTP/1.0", b"Connection: keep-alive"),
        ("200 close",),
        body=b"x" * 70000,
    ),
    Case(
        "a stream in HTTP/1.1 is chunked",
        "9112 6.1",
        request(b"GET /stream/70000 HTTP/1.1"),
        SERVED,
        body=b"x" * 70000,
        fields=("transfer-encoding",),
    ),
    Case("an empty stream", "9112 7.1", request(b"GET /stream/0 HTTP/1.1"), SERVED, body=b""),
    Case("a large stream", "9112 7.1", request(b"GET /stream/5000000 HTTP/1.1"), SERVED, body=b"x" * 5_000_000),
    Case("half-closed after a request", "9112 9.6", [request(), END_OF_SENDING], ("200 close",), body=b"Hello, World!"),
    Case("half-closed after two requests", "9112 9.6", [request() + request(), END_OF_SENDING], ("200 200 close",)),
    Case(
        "half-closed while an answer is owed",
        "9112 9.6",
        [request(b"GET /later/20 HTTP/1.1"), END_OF_SENDING],
        ("200 close",),
        body=b"later",
    ),
    Case(
        "half-closed after half a head",
        "9112 8",
        [b"GET /hello HTTP/1.1\r\nHost: a\r\n", END_OF_SENDING],
        ("close", "400 close"),
    ),
    Case(
        "half-closed after half the content",
        "9112 8",
        [echo(b"Content-Length: 5", body=b"he"), END_OF_SENDING],
        ("close", "400 close"),
    ),
    Case(
        "half-closed within a chunk",
        "9112 8",
        [echo(b"Transfer-Encoding: chunked", body=b"5\r\nhe"), END_OF_SENDING],
        ("close", "400 close"),
    ),
    Case(
        "half-closed before the last chunk",
        "9112 8",
        [echo(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n"), END_OF_SENDING],
        ("close", "400 close"),
    ),
    Case("half-closed after nothing", "9112 9.5", [END_OF_SENDING], ("close",)),
]
