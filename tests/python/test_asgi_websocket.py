"""WebSockets of ASGI 3.0 (asgiref, specs/www.rst 2.5), event by event, on asyncio and on uvloop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgi_helpers import App, Client, Scope, http_only
from test_asgi_http import Seen

from headrace import asgi
from headrace.errors import ClientDisconnected

MASK = b"\x01\x02\x03\x04"
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
TEXT, BINARY, CLOSE = 0x81, 0x82, 0x88


class Socket(Client):
    """A client of one WebSocket."""

    def open(self, target: str = "/", *headers: str) -> tuple[int, dict[str, str]]:
        self.send("GET", target, *HANDSHAKE, *headers)
        return self.head()

    def put(self, first: int, payload: bytes = b"") -> None:
        n = len(payload)
        if n < 126:
            size = bytes([0x80 | n])
        elif n <= 0xFFFF:
            size = b"\xfe" + n.to_bytes(2, "big")
        else:
            size = b"\xff" + n.to_bytes(8, "big")
        masked = bytes(b ^ MASK[i % 4] for i, b in enumerate(payload))
        self.sock.sendall(bytes([first]) + size + MASK + masked)

    def take(self) -> tuple[int, bytes]:
        first, size = self.exactly(2)
        if size >= 126:
            size = int.from_bytes(self.exactly(2 if size == 126 else 8), "big")
        return first, self.exactly(size)


Serve = Callable[..., Socket]


@pytest.fixture(params=["asyncio", "uvloop"])
def serve(request: pytest.FixtureRequest) -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:

        def one(handler: App, **options: Any) -> Socket:
            client = Socket(stack.enter_context(asgi.running(http_only(handler), loop=request.param, **options)))
            stack.callback(client.close)
            return client

        yield one


def accept(**more: Any) -> dict[str, Any]:
    return {"type": "websocket.accept", **more}


async def echo(scope: Scope, receive: Any, send: Any) -> None:
    assert await receive() == {"type": "websocket.connect"}
    await send(accept())
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def test_scope_has_every_key_with_its_type(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.put(scope)
        await echo(scope, receive, send)

    client = serve(app)
    assert client.open("/chat%20room?x=1", "Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: c")[0] == 101
    scope = seen.get()
    assert scope.pop("client") == ("127.0.0.1", client.sock.getsockname()[1])
    assert scope.pop("server") == ("127.0.0.1", client.sock.getpeername()[1])
    assert (b"upgrade", b"websocket") in scope.pop("headers")
    assert scope == {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/chat room",
        "raw_path": b"/chat%20room",
        "query_string": b"x=1",
        "root_path": "",
        "subprotocols": ["a", "b", "c"],
        "state": {},
        "extensions": {"websocket.http.response": {}},
    }


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65536, 1_000_000])
def test_messages_of_every_size_come_back(serve: Serve, size: int) -> None:
    client = serve(echo)
    assert client.open()[0] == 101
    for first in (TEXT, BINARY):
        client.put(first, b"x" * size)
        assert client.take() == (first, b"x" * size)


def test_messages_come_back_in_order(serve: Serve) -> None:
    client = serve(echo)
    client.open()
    for n in range(2000):
        client.put(TEXT, b"%d" % n)
    assert [client.take()[1] for _ in range(2000)] == [b"%d" % n for n in range(2000)]


def test_what_comes_with_the_handshake_is_received(serve: Serve) -> None:
    client = serve(echo)
    client.send("GET", "/", *HANDSHAKE)
    client.put(TEXT, "é".encode())
    assert client.head()[0] == 101
    assert client.take() == (TEXT, "é".encode())


def test_accept_has_a_subprotocol_and_headers(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(accept(subprotocol="b", headers=[(b"X-One", b"1"), (b"set-cookie", b"a=b")]))
        await receive()
        await receive()

    status, fields = serve(app).open("/", "Sec-WebSocket-Protocol: a, b")
    assert (status, fields["sec-websocket-protocol"]) == (101, "b")
    assert (fields["x-one"], fields["set-cookie"]) == ("1", "a=b")
    assert fields["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_close_before_the_handshake_is_403(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close"})
        seen.put(await receive())

    client = serve(app)
    for _ in range(2):  # and the connection goes on
        status, fields = client.open()
        client.exactly(int(fields["content-length"]))
        assert status == 403
        assert seen.get() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}


@pytest.mark.parametrize("pieces", [[b"no"], [b"n", b"o"], [b""]])
def test_a_denial_is_a_response(serve: Serve, pieces: list[bytes]) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        head = {"status": 401, "headers": [(b"www-authenticate", b"Basic")]}
        await send({"type": "websocket.http.response.start", **head})
        for i, piece in enumerate(pieces):
            more = i + 1 < len(pieces)
            await send({"type": "websocket.http.response.body", "body": piece, "more_body": more})

    client = serve(app)
    client.send("GET", "/", *HANDSHAKE)
    status, fields, content = client.response()
    assert (status, fields["www-authenticate"], content) == (401, "Basic", b"".join(pieces))


@pytest.mark.parametrize("how", ["connecting", "open"])
def test_a_client_that_leaves_is_a_disconnect_with_1006_and_send_raises(serve: Serve, how: str) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        if how == "open":
            await send(accept())
        seen.put("waits")
        seen.put(await receive())
        seen.put(await receive())
        try:
            await send(accept() if how == "connecting" else {"type": "websocket.send", "text": "x"})
        except OSError as error:
            seen.put(error)

    client = serve(app)
    client.send("GET", "/", *HANDSHAKE)
    assert seen.get() == "waits"
    client.close()
    for _ in range(2):
        assert seen.get() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
    assert isinstance(seen.get(), ClientDisconnected)


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [(b"", 1005, ""), (b"\x03\xe8", 1000, ""), (b"\x0f\xa0" + "wég".encode(), 4000, "wég")],
)
def test_the_clients_close_is_a_disconnect_with_its_code(serve: Serve, payload: bytes, code: int, reason: str) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send(accept())
        seen.put(await receive())
        seen.put(await receive())

    client = serve(app)
    client.open()
    client.put(TEXT, b"first")
    client.put(CLOSE, payload)
    assert seen.get() == {"type": "websocket.receive", "text": "first"}
    assert seen.get() == {"type": "websocket.disconnect", "code": code, "reason": reason}


@pytest.mark.parametrize(
    ("message", "payload"),
    [
        ({}, b"\x03\xe8"),
        ({"code": 4001, "reason": "bye"}, b"\x0f\xa1bye"),
        ({"code": None, "reason": None}, b"\x03\xe8"),
    ],
)
def test_the_applications_close_has_its_code_and_reason(serve: Serve, message: dict[str, Any], payload: bytes) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(accept())
        await send({"type": "websocket.send", "bytes": b"last"})
        await send({"type": "websocket.close", **message})
        with pytest.raises(RuntimeError, match="was closed"):
            await send({"type": "websocket.send", "text": "x"})
        await receive()
        seen.put(await receive())

    client = serve(app)
    client.open()
    assert client.take() == (BINARY, b"last")
    assert client.take() == (CLOSE, payload)
    client.put(CLOSE, payload)
    assert client.rest() == b""
    assert seen.get()["code"] == int.from_bytes(payload[:2], "big")


BAD = [
    ([{"type": "websocket.send", "text": "x"}], RuntimeError, "a handshake is answered by"),
    ([{"type": "http.response.start", "status": 200}], RuntimeError, "a handshake is answered by"),
    ([accept(subprotocol=7)], TypeError, "is a str"),
    ([accept(subprotocol="a b")], ValueError, "cannot be a subprotocol"),
    ([accept(headers=[(b"sec-websocket-protocol", b"x")])], ValueError, "is the server's"),
    ([accept(headers=[("a", "b")])], TypeError, "pair of bytes"),
    ([accept(), accept()], RuntimeError, "the WebSocket is open"),
    ([accept(), {"type": "websocket.send"}], ValueError, "either 'text' or 'bytes'"),
    ([accept(), {"type": "websocket.send", "text": "x", "bytes": b"y"}], ValueError, "either"),
    ([accept(), {"type": "websocket.send", "text": b"x"}], TypeError, "is a str"),
    ([accept(), {"type": "websocket.send", "bytes": "x"}], TypeError, "bytes-like"),
    ([accept(), {"type": "websocket.close", "code": 1005}], ValueError, "cannot be closed with code 1005"),
    ([accept(), {"type": "websocket.close", "code": "x"}], ValueError, "cannot be closed with"),
    ([accept(), {"type": "websocket.close", "reason": "x" * 124}], ValueError, "at most 123"),
    ([{"type": "websocket.http.response.start", "status": 403}, accept()], RuntimeError, "body comes next"),
]


@pytest.mark.parametrize(("messages", "error", "text"), BAD)
def test_a_malformed_message_is_raised(
    serve: Serve, messages: list[Any], error: type[Exception], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        for message in messages[:-1]:
            await send(message)
        try:
            await send(messages[-1])
        except Exception as e:
            seen.put(e)
            raise

    with caplog.at_level(logging.ERROR, "headrace.asgi"):
        client = serve(app)
        status, _ = client.open()
        raised = seen.get()
        if messages[0]["type"] == "websocket.accept" and len(messages) == 2:
            assert status == 101
            assert client.take() == (CLOSE, b"\x03\xf3")  # 1011
        else:
            assert status == 500
    assert type(raised) is error
    assert text in str(raised)
    assert "GET /: the application raised" in caplog.text


def test_an_application_that_returns_closes_with_1000(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(accept())

    client = serve(app)
    client.open()
    assert client.take() == (CLOSE, b"\x03\xe8")


def test_an_application_that_returns_without_an_answer_is_500(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()

    with caplog.at_level(logging.ERROR, "headrace.asgi"):
        assert serve(app).open()[0] == 500
    assert "without an answer to the handshake" in caplog.text


@pytest.mark.parametrize(("field", "status"), [("Sec-WebSocket-Version: 12", 426), ("Sec-WebSocket-Key: short", 400)])
def test_a_bad_handshake_never_reaches_the_application(serve: Serve, field: str, status: int) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        raise AssertionError("called")

    client = serve(app)
    name = field.partition(":")[0]
    client.send("GET", "/", *[h for h in HANDSHAKE if not h.startswith(name)], field)
    assert client.head()[0] == status


def test_a_message_that_is_too_large_ends_the_connection_with_1009(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send(accept())
        seen.put(await receive())

    client = serve(app, max_websocket_message=1000)
    client.open()
    client.put(BINARY, b"x" * 1001)
    first, payload = client.take()
    assert (first, payload[:2]) == (CLOSE, b"\x03\xf1")
    assert seen.get()["code"] == 1009


def test_send_waits_for_a_client_that_does_not_read(serve: Serve) -> None:
    seen, sent = Seen(), [0]

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(accept())
        for _ in range(400):
            await send({"type": "websocket.send", "bytes": b"x" * 65536})
            sent[0] += 1
        seen.put("done")

    client = serve(app)
    client.open()
    before = -1
    while before != sent[0]:
        before = sent[0]
        with contextlib.suppress(Exception):
            seen._things.get(timeout=0.3)
    assert sent[0] < 300, f"{sent[0]} of 400 messages were taken from an application whose client reads nothing"
    assert sum(len(client.take()[1]) for _ in range(400)) == 400 * 65536


def test_an_application_that_does_not_receive_slows_its_client_down(serve: Serve) -> None:
    go_on = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        loops.append(asyncio.get_running_loop())
        await receive()
        await send(accept())
        await go_on.wait()
        size = 0
        for _ in range(400):
            size += len((await receive())["bytes"])
        await send({"type": "websocket.send", "text": str(size)})
        await receive()

    client = serve(app)
    client.open()
    frame = bytes([BINARY]) + b"\xff" + (65536).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 65536
    client.sock.settimeout(0.5)
    unsent = frame * 400
    with contextlib.suppress(TimeoutError):
        while unsent:
            unsent = unsent[client.sock.send(unsent[:65536]) :]
    assert len(unsent) > 2_000_000, "everything was read from a client whose messages nobody receives"
    loops[0].call_soon_threadsafe(go_on.set)
    client.sock.settimeout(20)
    client.sock.sendall(unsent)
    assert client.take() == (TEXT, b"%d" % (400 * 65536))


def test_a_stopping_server_says_going_away() -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send(accept())
        seen.put("open")
        seen.put(await receive())

    server = asgi.Server(http_only(app))
    server.start()
    client = Socket(server.url)
    client.open()
    assert seen.get() == "open"
    server.begin_stop(10)
    assert client.take()[1][:2] == b"\x03\xe9"
    client.put(CLOSE, b"\x03\xe9")
    assert seen.get() == {"type": "websocket.disconnect", "code": 1001, "reason": ""}
    server.stop()
    client.close()
