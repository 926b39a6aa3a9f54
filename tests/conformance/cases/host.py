"""Host (RFC 9112, section 3.2; RFC 9110, section 7.2)."""

from __future__ import annotations

from tests.conformance.case import REFUSED, SERVED, Case, request, table

START = b"GET /hello HTTP/1.1"

CASES = [
    *table(
        "9110 7.2",
        SERVED,
        {
            f"Host {value.decode() or '(empty)'}": request(host=value)
            for value in (
                b"a",
                b"a.example",
                b"a:80",
                b"a:",
                b"127.0.0.1:8080",
                b"[::1]",
                b"[::1]:80",
                b"a-b_c~d",
                b"%41",
                b"",
            )
        },
    ),
    *table(
        "9110 7.2",
        REFUSED,
        {
            f"Host {value!r}": request(host=value)
            for value in (
                b"a b",
                b"a/b",
                b"user@a",
                b"a:port",
                b"a:80:80",
                b"a:-1",
                b"a:999999",
                b"::1",
                b"[::1",
                b"[::1]a",
                b"[]",
                b"a?b",
                b"a#b",
                b"http://a",
                b"a\\b",
                b"%4",
                b"a\tb",
                b"a\xc3\xa9",
                b"a, b",
                b"<a>",
            )
        },
    ),
    Case("no Host", "9112 3.2", request(host=None), REFUSED),
    Case("no Host with an absolute target", "9112 3.2.2", request(b"GET http://a/hello HTTP/1.1", host=None), REFUSED),
    Case("two Hosts", "9112 3.2", request(START, b"Host: b"), REFUSED),
    Case("two equal Hosts", "9112 3.2", request(START, b"Host: a"), REFUSED),
    Case("two Hosts of different case", "9112 3.2", request(START, b"hOST: b"), REFUSED),
    Case("Host last", "9112 3.2", request(START, b"X: y", b"Host: a", host=None), SERVED),
    Case("host in lower case", "9110 5.1", request(START, b"host: a", host=None), SERVED),
    Case("no Host in HTTP/1.0", "9112 3.2", request(b"GET /hello HTTP/1.0", host=None), ("200 close",)),
    Case("bad Host in HTTP/1.0", "9110 7.2", request(b"GET /hello HTTP/1.0", host=b"a b"), REFUSED),
    Case("two Hosts in HTTP/1.0", "9112 3.2", request(b"GET /hello HTTP/1.0", b"Host: b"), REFUSED),
    Case("bad Host with an absolute target", "9112 3.2", request(b"GET http://a/hello HTTP/1.1", host=b"a b"), REFUSED),
]
