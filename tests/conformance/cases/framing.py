"""The length of a message, and every way to make two servers disagree about it (RFC 9112, section 6)."""

from __future__ import annotations

from tests.conformance.case import REFUSED, SERVED, Case, echo, request, table

LOOKS_LIKE_A_REQUEST = b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"0\r\n\r\n"
UNKNOWN_CODING = ("501 close", "400 close")

CASES = [
    Case("content of a length", "9112 6.2", echo(b"Content-Length: 5", body=b"hello"), SERVED, body=b"hello"),
    Case("content of no length", "9112 6.3", echo(), SERVED, body=b""),
    Case("content of length 0", "9112 6.3", echo(b"Content-Length: 0"), SERVED, body=b""),
    Case("leading zeros", "9110 8.6", echo(b"Content-Length: 005", body=b"hello"), SERVED, body=b"hello"),
    Case(
        "content of a GET", "9110 9.3.1", request(b"GET /hello HTTP/1.1", b"Content-Length: 5", body=b"hello"), SERVED
    ),
    Case(
        "content in HTTP/1.0",
        "9112 6.3",
        echo(b"Content-Length: 5", body=b"hello", version=b"HTTP/1.0"),
        ("200 close",),
        body=b"hello",
    ),
    Case(
        "binary content", "9110 6.4", echo(b"Content-Length: 6", body=b"\0\r\n\r\n\xff"), SERVED, body=b"\0\r\n\r\n\xff"
    ),
    Case(
        "content that looks like a request",
        "9112 6.3",
        echo(b"Content-Length: %d" % len(LOOKS_LIKE_A_REQUEST), body=LOOKS_LIKE_A_REQUEST),
        SERVED,
    ),
    Case(
        "content cut into packets",
        "9112 6.3",
        [echo(b"Content-Length: 5", body=b"he"), b"l", b"lo"],
        SERVED,
        body=b"hello",
    ),
    Case(
        "100 KB of content", "9112 6.3", echo(b"Content-Length: 100000", body=b"x" * 100000), SERVED, body=b"x" * 100000
    ),
    *table(
        "9110 8.6",
        REFUSED,
        {
            f"Content-Length {value!r}": echo(b"Content-Length: " + value, body=b"hello")
            for value in (
                b"",
                b"-5",
                b"+5",
                b"5.0",
                b"5 5",
                b"5,5",
                b"5, 5",
                b"0x5",
                b"5;",
                b"five",
                b"5a",
                b"a5",
                b"5_0",
                b"\xb5",
                b"1e1",
                b"'5'",
                b'"5"',
                b"5 ,6",
                b"\x0b5",
            )
        },
    ),
    *table(
        "9110 8.6",
        REFUSED,
        {
            "two equal lengths": echo(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
            "two different lengths": echo(b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"),
            "two lengths of different case": echo(b"Content-Length: 5", b"content-length: 5", body=b"hello"),
            "two lengths in HTTP/1.0": echo(
                b"Content-Length: 5", b"Content-Length: 5", body=b"hello", version=b"HTTP/1.0"
            ),
        },
    ),
    Case(
        "a length beyond 64 bits",
        "9110 8.6",
        echo(b"Content-Length: 18446744073709551621", body=b"hello"),
        ("413 close", "400 close"),
    ),
    Case("a length of 100 digits", "9110 8.6", echo(b"Content-Length: " + b"9" * 100), ("413 close", "400 close")),
    Case("a length beyond the limit", "9110 15.5.14", echo(b"Content-Length: 104857600"), ("413 close",)),
    *table(
        "9112 6.1",
        REFUSED,
        {
            "length and chunked": echo(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=LAST),
            "chunked and length": echo(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=LAST),
            "length 0 and chunked": echo(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=LAST),
            "length and an unknown coding": echo(b"Content-Length: 5", b"Transfer-Encoding: gzip", body=b"hello"),
            "length and identity": echo(b"Content-Length: 5", b"Transfer-Encoding: identity", body=b"hello"),
            "length and an empty coding": echo(b"Content-Length: 5", b"Transfer-Encoding:", body=b"hello"),
            "chunked in HTTP/1.0": echo(b"Transfer-Encoding: chunked", body=LAST, version=b"HTTP/1.0"),
            "chunked in HTTP/1.0 with keep-alive": echo(
                b"Transfer-Encoding: chunked", b"Connection: keep-alive", body=LAST, version=b"HTTP/1.0"
            ),
            "chunked and length in HTTP/1.0": echo(
                b"Transfer-Encoding: chunked", b"Content-Length: 5", body=LAST, version=b"HTTP/1.0"
            ),
        },
    ),
    *table(
        "9112 6.3",
        REFUSED,
        {
            f"Transfer-Encoding {value!r}": echo(b"Transfer-Encoding: " + value, body=LAST)
            for value in (
                b"",
                b"identity",
                b"gzip",
                b"chunked, gzip",
                b"chunked, chunked",
                b"chunked,",
                b", chunked",
                b"xchunked",
                b"chunkedx",
                b"chunked;q=1",
                b'"chunked"',
                b"'chunked'",
                b"chunked chunked",
                b"chunk",
                b"chunked\t,",
                b"[chunked]",
                b"chu\xc3\xb1ked",
                b"chunked, identity",
                b"\x0bchunked",
                b"chunked\0",
            )
        },
    ),
    *table(
        "9112 6.1",
        UNKNOWN_CODING,
        {
            "gzip, chunked": echo(b"Transfer-Encoding: gzip, chunked", body=LAST),
            "identity, chunked": echo(b"Transfer-Encoding: identity, chunked", body=LAST),
            "gzip and chunked in two lines": echo(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked", body=LAST),
            "chunked in two lines": echo(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=LAST),
            "chunked and identity in two lines": echo(
                b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=LAST
            ),
        },
    ),
    Case("Chunked in mixed case", "9112 7", echo(b"Transfer-Encoding: ChUnKeD", body=LAST), SERVED, body=b""),
    Case(
        "transfer-encoding in lower case", "9110 5.1", echo(b"transfer-encoding: chunked", body=LAST), SERVED, body=b""
    ),
    Case("blanks around chunked", "9110 5.5", echo(b"Transfer-Encoding: \t chunked \t", body=LAST), SERVED, body=b""),
    Case(
        "a field whose name only resembles it",
        "9110 5.1",
        echo(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"hello"),
        SERVED,
        body=b"hello",
    ),
]
