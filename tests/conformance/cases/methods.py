"""Methods, Expect, and what a response may carry (RFC 9110, sections 6, 9 and 10)."""

from __future__ import annotations

from tests.conformance.case import REFUSED, SERVED, Case, echo, request, table
from tests.conformance.exchange import END_OF_SENDING

CONTINUE = b"Expect: 100-continue"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket")
VERSION = b"Sec-WebSocket-Version: 13"
WS = b"GET /ws HTTP/1.1"

CASES = [
    Case(
        "HEAD has the fields of GET and no content",
        "9110 9.3.2",
        request(b"HEAD /hello HTTP/1.1"),
        SERVED,
        body=b"",
        fields=("content-length", "content-type"),
        heads=(0,),
    ),
    Case(
        "HEAD of what does not exist",
        "9110 9.3.2",
        request(b"HEAD /nowhere HTTP/1.1"),
        ("404 open",),
        body=b"",
        heads=(0,),
    ),
    Case("HEAD in HTTP/1.0", "9110 9.3.2", request(b"HEAD /hello HTTP/1.0"), ("200 close",), body=b"", heads=(0,)),
    Case("HEAD, then GET", "9110 9.3.2", request(b"HEAD /hello HTTP/1.1") + request(), ("200 200 open",), heads=(0,)),
    Case("HEAD of a stream", "9110 9.3.2", request(b"HEAD /stream/100000 HTTP/1.1"), SERVED, body=b"", heads=(0,)),
    Case(
        "a method that the path does not have",
        "9110 15.5.6",
        request(b"PUT /hello HTTP/1.1"),
        ("405 open",),
        fields=("allow",),
    ),
    Case(
        "methods are case-sensitive", "9110 9.1", request(b"get /hello HTTP/1.1"), ("405 open", "501 open"), fields=()
    ),
    Case("an unknown method", "9110 9.1", request(b"BREW /hello HTTP/1.1"), ("405 open", "501 open")),
    Case(
        "an unknown method on an unknown path", "9110 9.1", request(b"BREW /nowhere HTTP/1.1"), ("501 open", "404 open")
    ),
    Case(
        "OPTIONS of a path",
        "9110 9.3.7",
        request(b"OPTIONS /hello HTTP/1.1"),
        ("204 open", "200 open"),
        fields=("allow",),
    ),
    Case("OPTIONS of the server", "9110 9.3.7", request(b"OPTIONS * HTTP/1.1"), ("204 open", "200 open")),
    Case(
        "OPTIONS with an absolute target",
        "9112 3.2.4",
        request(b"OPTIONS http://a/hello HTTP/1.1"),
        ("204 open", "200 open"),
    ),
    Case("TRACE is not served", "9110 9.3.8", request(b"TRACE /hello HTTP/1.1"), ("405 open", "501 open")),
    Case(
        "CONNECT is not served",
        "9110 9.3.6",
        request(b"CONNECT a:443 HTTP/1.1"),
        ("501 open", "405 open", "501 close", "405 close"),
    ),
    Case("CONNECT without a port", "9112 3.2.3", request(b"CONNECT a HTTP/1.1"), REFUSED),
    Case("CONNECT with a path", "9112 3.2.3", request(b"CONNECT /hello HTTP/1.1"), REFUSED),
    Case(
        "the content of a method that is not allowed is read",
        "9110 15.5.6",
        request(b"POST /hello HTTP/1.1", b"Content-Length: 5", body=b"hello"),
        ("405 open",),
    ),
    # Expect
    Case("100 before the content", "9110 10.1.1", echo(CONTINUE, b"Content-Length: 5"), ("100 silent",)),
    Case(
        "100, then the content",
        "9110 10.1.1",
        [echo(CONTINUE, b"Content-Length: 5"), b"hello"],
        ("100 200 open", "200 open"),
        body=b"hello",
    ),
    Case(
        "100 is left out where the content has come",
        "9110 10.1.1",
        echo(CONTINUE, b"Content-Length: 5", body=b"hello"),
        ("200 open", "100 200 open"),
        body=b"hello",
    ),
    Case(
        "100 for chunks",
        "9110 10.1.1",
        [echo(CONTINUE, b"Transfer-Encoding: chunked"), b"5\r\nhello\r\n0\r\n\r\n"],
        ("100 200 open", "200 open"),
        body=b"hello",
    ),
    Case("no 100 without content", "9110 10.1.1", request(b"GET /hello HTTP/1.1", CONTINUE), SERVED),
    Case(
        "no 100 in HTTP/1.0",
        "9110 10.1.1",
        echo(CONTINUE, b"Content-Length: 5", body=b"hello", version=b"HTTP/1.0"),
        ("200 close",),
        body=b"hello",
    ),
    Case(
        "Expect in mixed case",
        "9110 10.1.1",
        [echo(b"eXpEcT: 100-CoNtInUe", b"Content-Length: 5"), b"hello"],
        ("100 200 open", "200 open"),
        body=b"hello",
    ),
    Case(
        "no 100 for what will be refused",
        "9110 10.1.1",
        request(b"POST /nowhere HTTP/1.1", CONTINUE, b"Content-Length: 5"),
        ("404 close",),
    ),
    Case(
        "no 100 for content beyond the limit",
        "9110 10.1.1",
        echo(CONTINUE, b"Content-Length: 104857600"),
        ("413 close",),
    ),
    *table(
        "9110 10.1.1",
        ("417 close", "417 open", "400 close"),
        {
            f"Expect {value!r}": echo(b"Expect: " + value, b"Content-Length: 0")
            for value in (b"200-ok", b"100-continue, more", b"100-continue=x", b"100", b"")
        },
    ),
    # Upgrade
    Case(
        "WebSocket handshake",
        "6455 4.2.2",
        [request(WS, *UPGRADE, KEY, VERSION), END_OF_SENDING],
        ("101 close",),
        fields=("upgrade", "connection", "sec-websocket-accept"),
    ),
    Case(
        "WebSocket without its version",
        "6455 4.2.1",
        request(WS, *UPGRADE, KEY),
        ("426 open", "400 open"),
        fields=("sec-websocket-version",),
    ),
    Case(
        "WebSocket of another version",
        "6455 4.2.2",
        request(WS, *UPGRADE, KEY, b"Sec-WebSocket-Version: 8"),
        ("426 open", "400 open"),
        fields=("sec-websocket-version",),
    ),
    Case("WebSocket without a key", "6455 4.2.1", request(WS, *UPGRADE, VERSION), ("400 open",)),
    Case(
        "WebSocket with a short key",
        "6455 4.2.1",
        request(WS, *UPGRADE, VERSION, b"Sec-WebSocket-Key: c2hvcnQ="),
        ("400 open",),
    ),
    Case("WebSocket with two keys", "6455 4.2.1", request(WS, *UPGRADE, VERSION, KEY, KEY), ("400 open",)),
    Case("WebSocket without Upgrade", "6455 4.2.1", request(WS, KEY, VERSION), ("426 open", "400 open")),
    Case(
        "WebSocket without Connection: Upgrade",
        "9110 7.8",
        request(WS, UPGRADE[1], KEY, VERSION),
        ("426 open", "400 open"),
    ),
    Case(
        "WebSocket in HTTP/1.0",
        "6455 4.2.1",
        request(b"GET /ws HTTP/1.0", *UPGRADE, KEY, VERSION),
        ("426 close", "400 close"),
    ),
    Case(
        "Upgrade that is not spoken is ignored",
        "9110 7.8",
        request(b"GET /hello HTTP/1.1", b"Connection: Upgrade", b"Upgrade: h2c"),
        SERVED,
    ),
]
