"""Several requests in one packet, one request in several, and bad bytes behind good ones (RFC 9112, section 9.3.2)."""

from __future__ import annotations

from tests.conformance.case import Case, chunked, echo, request

GET = request()
LATER = request(b"GET /later/10 HTTP/1.1")
BAD_TAILS = {
    "garbage": b"\0\1\2\3",
    "a bad request line": b"GET /\r\n\r\n",
    "a request with bare line feeds": b"GET /hello HTTP/1.1\nHost: a\n\n",
    "a request without Host": request(host=None),
    "ambiguous framing": echo(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "a bad chunk": chunked(b"x\r\n"),
    "a version that is not served": request(b"GET /hello HTTP/3.0"),
}

CASES = [
    Case("two requests", "9112 9.3.2", GET * 2, ("200 200 open",)),
    Case("100 requests", "9112 9.3.2", GET * 100, (" ".join(["200"] * 100) + " open",)),
    Case("2000 requests", "9112 9.3.2", GET * 2000, (" ".join(["200"] * 2000) + " open",)),
    Case(
        "answers keep their order",
        "9112 9.3.2",
        LATER + request(b"GET /nowhere HTTP/1.1") + GET,
        ("200 404 200 open",),
        body=b"later",
    ),
    Case("several deferred answers", "9112 9.3.2", LATER * 3 + GET, ("200 200 200 200 open",)),
    Case(
        "content, then a request",
        "9112 9.3.2",
        echo(b"Content-Length: 5", body=b"hello") + GET,
        ("200 200 open",),
        body=b"hello",
    ),
    Case(
        "chunks, then a request",
        "9112 9.3.2",
        chunked(b"5\r\nhello\r\n0\r\n\r\n") + GET,
        ("200 200 open",),
        body=b"hello",
    ),
    Case("chunks with trailers, then a request", "9112 9.3.2", chunked(b"0\r\nX: y\r\n\r\n") + GET, ("200 200 open",)),
    Case("an empty line between requests", "9112 2.2", GET + b"\r\n" + GET, ("200 200 open",)),
    Case("a stream, then a request", "9112 9.3.2", request(b"GET /stream/200000 HTTP/1.1") + GET, ("200 200 open",)),
    Case("a request in packets of one byte", "9112 2", [bytes([b]) for b in GET], ("200 open",)),
    Case("a request cut at each line", "9112 2", [line + b"\r\n" for line in GET.split(b"\r\n")[:-1]], ("200 open",)),
    Case("a request cut between CR and LF", "9112 2", [GET[:-1], GET[-1:]], ("200 open",)),
    Case("two requests cut in the middle of the second", "9112 2", [GET + GET[:20], GET[20:]], ("200 200 open",)),
    Case(
        "HEAD and GET in one packet",
        "9110 9.3.2",
        request(b"HEAD /hello HTTP/1.1") + GET * 2,
        ("200 200 200 open",),
        heads=(0,),
    ),
    Case(
        "content of GET is not the next request",
        "9112 6.3",
        request(b"GET /hello HTTP/1.1", b"Content-Length: %d" % len(GET), body=GET),
        ("200 open",),
    ),
    *[
        Case(
            f"{name} behind good requests",
            "9112 9.3.2",
            GET * 3 + tail,
            ("200 200 200 400 close", "200 200 200 505 close", "200 200 200 501 close"),
            body=b"Hello, World!",
        )
        for name, tail in BAD_TAILS.items()
    ],
    *[
        Case(
            f"{name} behind a deferred answer",
            "9112 9.3.2",
            LATER + tail,
            ("200 400 close", "200 505 close", "200 501 close"),
            body=b"later",
        )
        for name, tail in BAD_TAILS.items()
    ],
]
