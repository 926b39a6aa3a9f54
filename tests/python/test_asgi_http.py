"""HTTP of ASGI 3.0 (asgiref, specs/www.rst 2.5), message by message, on asyncio and on uvloop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgi_helpers import App, Client, Scope, Seen, body, http_only, start
from thread_helpers import in_threads

from headrace import asgi
from headrace.errors import ClientDisconnected, InvalidArgument

Serve = Callable[..., Client]


@pytest.fixture(params=["asyncio", "uvloop"])
def serve(request: pytest.FixtureRequest) -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:

        def one(handler: App, **options: Any) -> Client:
            url = stack.enter_context(asgi.running(http_only(handler), loop=request.param, **options))
            client = Client(url)
            stack.callback(client.close)
            return client

        yield one


async def answer(send: Any, content: bytes = b"") -> None:
    await send(start(200, (b"content-type", b"text/plain")))
    await send(body(content))


# --- the scope ---


def scope_of(serve: Serve, request: Callable[[Client], None], **options: Any) -> Scope:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.put(scope)
        await answer(send)

    client = serve(app, **options)
    request(client)
    scope: Scope = seen.get()
    scope["test_port"] = client.sock.getsockname()[1]
    scope["test_server_port"] = client.sock.getpeername()[1]
    client.response(of_head=scope["method"] == "HEAD")
    return scope


def test_scope_has_every_key_with_its_type(serve: Serve) -> None:
    scope = scope_of(serve, lambda c: c.send("GET", "/a%20b/%C3%A9?x=1&y=%20", "X-Thing: One", "x-thing: two"))
    assert scope.pop("test_port") == scope["client"][1]
    assert scope.pop("test_server_port") == scope["server"][1]
    assert scope.pop("client")[0] == "127.0.0.1"
    assert scope.pop("server")[0] == "127.0.0.1"
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/a b/é",
        "raw_path": b"/a%20b/%C3%A9",
        "query_string": b"x=1&y=%20",
        "root_path": "",
        "headers": [(b"host", b"test"), (b"x-thing", b"One"), (b"x-thing", b"two")],
        "state": {},
    }
    assert all(type(k) is bytes and type(v) is bytes for k, v in scope["headers"])


def test_http_1_0_is_said_so(serve: Serve) -> None:
    assert scope_of(serve, lambda c: c.send(version="1.0"))["http_version"] == "1.0"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "TRACE"])
def test_every_method_reaches_the_application(serve: Serve, method: str) -> None:
    assert scope_of(serve, lambda c: c.send(method))["method"] == method


def test_the_method_is_upper_case(serve: Serve) -> None:
    assert scope_of(serve, lambda c: c.send("purge"))["method"] == "PURGE"


def test_a_path_that_is_not_utf_8_has_replacement_characters(serve: Serve) -> None:
    scope = scope_of(serve, lambda c: c.send("GET", "/%FF"))
    assert (scope["path"], scope["raw_path"]) == ("/\ufffd", b"/%FF")


def test_root_path_is_what_paths_begin_with(serve: Serve) -> None:
    scope = scope_of(serve, lambda c: c.send("GET", "/x"), root_path="/api/")
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/api", "/api/x", b"/x")


def test_the_target_of_a_proxy_has_a_path_too(serve: Serve) -> None:
    scope = scope_of(serve, lambda c: c.send("GET", "http://test/p?q"))
    assert (scope["path"], scope["query_string"]) == ("/p", b"q")


def test_scopes_share_nothing_that_can_be_changed(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.put({"asgi": dict(scope["asgi"]), "more": scope.get("more"), "state": dict(scope["state"])})
        scope["asgi"]["version"] = "changed"
        scope["more"] = True
        scope["state"]["x"] = 1
        scope["headers"].append((b"x", b"y"))
        await answer(send)

    client = serve(app)
    for _ in range(3):
        client.get()
        assert seen.get() == {"asgi": {"version": "3.0", "spec_version": "2.5"}, "more": None, "state": {}}


# --- receive ---


def messages_of(serve: Serve, content: bytes, *headers: str) -> list[dict[str, Any]]:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        first = await receive()
        await answer(send)
        seen.put([first, await receive(), await receive()])

    client = serve(app)
    client.send("POST", "/", *headers, content=content)
    client.response()
    got: list[dict[str, Any]] = seen.get()
    return got


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_content_that_comes_with_its_head_is_one_message(serve: Serve, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    first, *rest = messages_of(serve, content)
    assert first == {"type": "http.request", "body": content, "more_body": False}
    assert rest == [{"type": "http.disconnect"}] * 2  # after the response, as often as it is asked


def test_chunked_content_arrives_decoded(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.put(await receive())
        await answer(send)

    client = serve(app)
    client.sock.sendall(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    client.response()
    assert seen.get()["body"] == b"abcde"


def test_expect_continue_is_answered(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, (await receive())["body"])

    client = serve(app)
    client.send("POST", "/", "Expect: 100-continue", "Content-Length: 3")
    assert client.head()[0] == 100
    client.sock.sendall(b"abc")
    assert client.response()[2] == b"abc"


@pytest.mark.parametrize("streaming", [False, True])
def test_receive_waits_for_the_client_to_leave(serve: Serve, streaming: bool) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        if streaming:
            await send(start())
            await send(body(b"first", more=True))
        seen.put("waits")
        seen.put(await receive())
        try:
            await send(body(b"more", more=True) if streaming else start())
        except OSError as error:
            seen.put(error)

    client = serve(app)
    client.send()
    if streaming:
        client.head()
        assert client.chunk() == b"first"
    assert seen.get() == "waits"
    client.close()
    assert seen.get() == {"type": "http.disconnect"}
    error = seen.get()
    assert isinstance(error, ClientDisconnected)
    assert str(error) == "the client has left"


def test_two_receives_can_wait_at_once_and_with_a_time_limit(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        for _ in range(100):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(receive(), 0)
        tasks = [asyncio.create_task(receive()) for _ in range(2)]
        await asyncio.sleep(0)
        await answer(send)
        seen.put(await asyncio.gather(*tasks))

    client = serve(app)
    client.get()
    assert seen.get() == [{"type": "http.disconnect"}] * 2


def test_receive_and_send_give_coroutines(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        coroutine = receive()
        assert asyncio.iscoroutine(coroutine)
        await coroutine
        with pytest.raises(RuntimeError, match="already awaited"):
            await coroutine
        await asyncio.create_task(send(start()))
        await asyncio.wait_for(send(body(b"fine")), 10)

    assert serve(app).get()[2] == b"fine"


# --- send ---


def test_headers_arrive_in_order_with_duplicates(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(start(201, (b"Set-Cookie", b"a=1"), (b"x-one", b"1"), (b"set-cookie", b"b=2")))
        await send(body(b"ok"))

    client = serve(app)
    client.send()
    client.head()
    client.exactly(2)
    client.send("GET", "/", "Connection: close")
    text = client.rest()
    assert text.startswith(b"HTTP/1.1 201 Created\r\n")
    assert b"Set-Cookie: a=1\r\nx-one: 1\r\nset-cookie: b=2\r\n" in text


def test_everything_but_type_and_status_has_a_default(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 202})
        await send({"type": "http.response.body"})

    status, fields, content = serve(app).get()
    assert (status, fields["content-length"], content) == (202, "0", b"")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_content_may_be_any_bytes(serve: Serve, kind: Any) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": ((b"a", b"b") for _ in range(1))})
        await send({"type": "http.response.body", "body": kind(b"content")})

    status, fields, content = serve(app).get()
    assert (status, fields["a"], content) == (200, "b", b"content")


def test_pieces_are_chunks_that_leave_at_once(serve: Serve) -> None:
    go_on = threading.Event()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"one", more=True))
        await asyncio.to_thread(go_on.wait, 10)
        await send(body(b"", more=True))
        await send(body(b"two", more=True))
        await send(body())

    client = serve(app)
    for _ in range(2):
        go_on.clear()
        client.send()
        assert client.head()[1]["transfer-encoding"] == "chunked"
        assert client.chunk() == b"one"
        go_on.set()
        assert b"".join(iter(client.chunk, b"")) == b"two"


def test_pieces_with_a_length_are_not_chunked(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(start(200, (b"content-length", b"6")))
        await send(body(b"one", more=True))
        await send(body(b"two"))

    client = serve(app)
    for _ in range(2):  # and the connection goes on
        status, fields, content = client.get()
        assert (status, fields["content-length"], content) == (200, "6", b"onetwo")
        assert "transfer-encoding" not in fields


def test_http_1_0_gets_no_chunks(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"one", more=True))
        await send(body(b"two"))

    client = serve(app)
    client.send(version="1.0")
    _, fields = client.head()
    assert "transfer-encoding" not in fields
    assert client.rest() == b"onetwo"


@pytest.mark.parametrize("pieces", [1, 2])
def test_head_gets_the_fields_and_no_content(serve: Serve, pieces: int) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(start(200, (b"content-length", b"10")))
        content = b"" if scope["method"] == "HEAD" and pieces == 1 else b"0123456789"
        for i in range(pieces - 1):
            await send(body(content[i : i + 1], more=True))
        await send(body(content[pieces - 1 :]))

    client = serve(app)
    client.send("HEAD")
    status, fields, _ = client.response(of_head=True)
    assert (status, fields["content-length"]) == (200, "10")
    assert client.get()[2] == b"0123456789"


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content_have_none(serve: Serve, status: int) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(start(status))
        await send(body(b"left out"))

    client = serve(app)
    for _ in range(2):
        got, fields, _ = client.get()
        assert got == status
        assert "content-length" not in fields


def test_framing_stays_the_servers(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(start(200, (b"transfer-encoding", b"chunked"), (b"connection", b"close"), (b"date", b"never")))
        await send(body(b"ok"))

    client = serve(app)
    for _ in range(2):
        status, fields, content = client.get()
        assert (status, content) == (200, b"ok")
        assert "transfer-encoding" not in fields
        assert "connection" not in fields
        assert fields["date"] != "never"


def test_send_waits_for_a_slow_client(serve: Serve) -> None:
    sent, seen = [0], Seen()
    piece = b"x" * 65536

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(start())
        for _ in range(1000):
            await send(body(piece, more=True))
            sent[0] += 1
        await send(body())
        seen.put("done")

    client = serve(app, max_stream_buffered=262144)
    client.send()
    client.head()
    first = client.chunk()
    before = -1
    while before != sent[0]:  # until nothing moves: the kernel's buffers and ours are full
        before = sent[0]
        threading.Event().wait(0.3)
    assert sent[0] < 500, f"{sent[0]} of 1000 pieces were taken from an application whose client reads nothing"
    assert len(first) + sum(len(c) for c in iter(client.chunk, b"")) == 1000 * len(piece)
    assert seen.get() == "done"


# --- what an application does wrong is raised in it ---

BAD = [
    ([{"status": 200}], ValueError, "has a 'type'"),
    ([[]], TypeError, "is a dict"),
    ([{"type": 7}], TypeError, "is a str"),
    ([{"type": "http.response.begin"}], RuntimeError, "unexpected ASGI message 'http.response.begin'"),
    ([body(b"x")], RuntimeError, "start comes first"),
    ([start(), start()], RuntimeError, "started already"),
    ([{"type": "http.response.start"}], TypeError, "int 'status'"),
    ([{"type": "http.response.start", "status": "200"}], TypeError, "int 'status'"),
    ([start(99)], ValueError, "200 to 599"),
    ([start(600)], ValueError, "200 to 599"),
    ([start(10**30)], ValueError, "200 to 599"),
    ([start(200, ("a", "b"))], TypeError, "pair of bytes"),  # type: ignore[arg-type]
    ([start(200, (b"a",))], TypeError, "pair of bytes"),  # type: ignore[arg-type]
    ([start(200, b"ab")], TypeError, "pair of bytes"),  # type: ignore[arg-type]
    ([start(200, (b"a b", b"c"))], ValueError, "may not be sent"),
    ([start(200, (b"", b"c"))], ValueError, "may not be sent"),
    ([start(200, (b"a", b"b\r\nSet-Cookie: c"))], ValueError, "may not be sent"),
    ([start(200, (b"content-length", b"x"))], ValueError, "one number"),
    ([start(200, (b"content-length", b"1"), (b"content-length", b"2"))], ValueError, "one number"),
    ([start(200, (b"content-length", b"1")), body(b"ab")], RuntimeError, "longer than"),
    ([start(200, (b"content-length", b"3")), body(b"ab")], RuntimeError, "shorter than"),
    ([{"type": "http.response.start", "status": 200, "headers": 7}], TypeError, "iterable"),
    ([{"type": "http.response.start", "status": 200, "trailers": True}], RuntimeError, "trailers"),
    ([start(), {"type": "http.response.body", "body": "text"}], TypeError, "body is bytes"),
]


@pytest.mark.parametrize(("messages", "error", "text"), BAD)
def test_a_malformed_message_is_raised_and_answered_500(
    serve: Serve, messages: list[Any], error: type[Exception], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["path"] == "/good":
            return await answer(send, b"good")
        for message in messages[:-1]:
            await send(message)
        try:
            await send(messages[-1])
        except Exception as e:
            seen.put(e)
            raise
        return None

    client = serve(app)
    with caplog.at_level(logging.ERROR, "headrace.asgi"):
        assert client.get("/bad")[0] == 500
    raised = seen.get()
    assert type(raised) is error
    assert text in str(raised)
    assert "GET /bad: the application raised" in caplog.text
    assert client.get("/good")[2] == b"good"


def test_an_application_that_raises_is_answered_500_without_its_traceback(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        raise ValueError("a secret")

    client = serve(app)
    with caplog.at_level(logging.ERROR, "headrace.asgi"):
        status, _, content = client.get("/path")
    assert status == 500
    assert b"secret" not in content
    assert "GET /path: the application raised" in caplog.text
    assert "ValueError: a secret" in caplog.text


@pytest.mark.parametrize("steps", [0, 1])
def test_an_application_that_returns_too_early_is_answered_500(
    serve: Serve, steps: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        for _ in range(steps):
            await send(start())

    with caplog.at_level(logging.ERROR, "headrace.asgi"):
        assert serve(app).get()[0] == 500
    assert "the application returned" in caplog.text


@pytest.mark.parametrize("end", ["raise", "return", "short"])
def test_a_response_that_has_begun_is_cut_off(serve: Serve, end: str, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(start(200, (b"content-length", b"10")) if end == "short" else start())
        await send(body(b"begun", more=True))
        if end == "raise":
            raise ValueError
        if end == "short":
            await send(body(b"x"))

    client = serve(app)
    with caplog.at_level(logging.ERROR, "headrace.asgi"):
        client.send()
        client.head()
        assert b"0\r\n\r\n" not in client.rest()
    assert "GET /: the application r" in caplog.text


def test_after_the_response_nothing_more_can_be_sent(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send)
        for message in (start(), body()):
            with pytest.raises(RuntimeError, match="the response is complete"):
                await send(message)
        seen.put("fine")

    client = serve(app)
    assert client.get()[0] == 200
    assert seen.get() == "fine"


def test_what_is_raised_after_the_response_is_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, b"fine")
        if scope["path"] == "/last":
            return
        asyncio.get_running_loop().call_soon(seen.put, "over")
        raise ValueError("too late")

    client = serve(app)
    with caplog.at_level(logging.ERROR, "headrace.asgi"):
        assert client.get()[2] == b"fine"
        assert seen.get() == "over"
        assert client.get("/last")[2] == b"fine"
    assert "too late" in caplog.text


def test_a_client_that_leaves_is_no_error_of_the_application(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["path"] == "/other":
            return await answer(send)
        await receive()
        seen.put("waits")
        await receive()
        asyncio.get_running_loop().call_soon(seen.put, "over")
        return await send(start())  # raises OSError, which ends the application

    with caplog.at_level(logging.ERROR, "headrace.asgi"):
        client = serve(app)
        client.send()
        assert seen.get() == "waits"
        client.close()
        assert seen.get() == "over"
    assert caplog.text == ""


# --- many ---


def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        await answer(send, scope["path"].encode())

    client = serve(app)
    client.sock.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(100)))
    assert [client.response()[2] for _ in range(100)] == [b"/%d" % n for n in range(100)]


def test_many_clients_at_once_get_their_own_answers(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["query_string"]:
            await asyncio.sleep(0.001)
        await answer(send, scope["path"].encode() + (await receive())["body"])

    first = serve(app, threads=2)
    port = first.sock.getpeername()[1]
    wrong: list[Any] = []

    def work(n: int) -> None:
        client = Client(f"http://127.0.0.1:{port}")
        for i in range(100):
            client.send("POST", f"/{n}/{i}" + ("?slow" if i % 3 == 0 else ""), content=b"-%d" % n)
            if client.response()[2] != b"/%d/%d-%d" % (n, i, n):
                wrong.append((n, i))
        client.close()

    in_threads(16, work)
    assert wrong == []


def test_one_request_too_many_is_answered_503(serve: Serve) -> None:
    seen, go_on = Seen(), threading.Event()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.put("in")
        await asyncio.to_thread(go_on.wait, 10)
        await answer(send, b"fine")

    client = serve(app, limit_concurrency=1)
    client.send()
    assert seen.get() == "in"
    other = Client(f"http://127.0.0.1:{client.sock.getpeername()[1]}")
    status, fields, _ = other.get()
    assert (status, fields["retry-after"]) == (503, "1")
    go_on.set()
    assert client.response()[2] == b"fine"
    other.close()


def test_what_was_accepted_is_answered_when_the_server_stops() -> None:
    seen, go_on = Seen(), threading.Event()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.put("in")
        await asyncio.to_thread(go_on.wait, 10)
        await answer(send, b"fine")

    server = asgi.Server(http_only(app))
    server.start()
    client = Client(server.url)
    client.send()
    assert seen.get() == "in"
    server.begin_stop(10)
    go_on.set()
    status, fields, content = client.response()
    assert (status, fields["connection"], content) == (200, "close", b"fine")
    server.stop()
    client.close()


def test_what_outlasts_the_grace_is_cancelled_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.put("in")
        try:
            await asyncio.Event().wait()
        finally:
            seen.put("out")

    server = asgi.Server(http_only(app))
    server.start()
    client = Client(server.url)
    client.send()
    assert seen.get() == "in"
    with caplog.at_level(logging.ERROR, "headrace.asgi"):
        server.stop(0.01)
    assert client.rest() == b""
    assert seen.get() == "out"
    assert caplog.text == ""
    client.close()


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("nothing", "module:attribute"),
        ("no_such_module:app", "no module"),
        ("json:nothing", "has no"),
        (7, "cannot be called"),
    ],
)
def test_what_is_no_application_is_an_error(target: Any, text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        asgi.Server(target)


def test_factories_and_applications_of_asgi_2_are_called(serve: Serve) -> None:
    class Old:
        def __init__(self, scope: Scope) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:
            if self.scope["type"] == "http":
                await answer(send, b"old")

    for target, factory in ((Old, False), (lambda: Old, True)):
        with asgi.running(target, factory=factory) as url:
            client = Client(url)
            assert client.get()[2] == b"old"
            client.close()
