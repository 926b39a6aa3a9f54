"""Content of requests that reaches an ASGI application while it comes (asgiref, specs/www.rst 2.5, http.request)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgi_helpers import App, Client, Scope, Seen, body, http_only, served, start
from thread_helpers import in_threads

from headrace import asgi
from headrace.errors import ClientDisconnected

Serve = Callable[..., Client]
DISCONNECT = {"type": "http.disconnect"}
LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@pytest.fixture(params=["asyncio", "uvloop"])
def serve(request: pytest.FixtureRequest) -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:

        def one(handler: App, **options: Any) -> Client:
            url = stack.enter_context(asgi.running(http_only(handler), loop=request.param, **options))
            client = Client(url)
            client.sock.settimeout(60)
            stack.callback(client.close)
            return client

        yield one


def piece(content: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


async def answer(send: Any, content: bytes = b"") -> None:
    await send(start(200, (b"content-type", b"text/plain")))
    await send(body(content))


async def content_of(receive: Any) -> bytes:
    """All of it; each message but the last has something and says that more follows."""
    whole = []
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        whole.append(message["body"])
        if not message["more_body"]:
            return b"".join(whole)
        assert message["body"]


async def hash_of(scope: Scope, receive: Any, send: Any) -> None:
    await answer(send, hashlib.sha256(await content_of(receive)).hexdigest().encode())


def test_pieces_arrive_while_the_client_sends(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.put(scope["headers"])
        for _ in range(2):
            seen.put(await receive())
        await answer(send)
        seen.put(await receive())

    client = serve(app)
    client.send("POST", "/", "Content-Length: 6")
    assert seen.get() == [(b"host", b"test"), (b"content-length", b"6")]
    client.sock.sendall(b"abc")
    assert seen.get() == piece(b"abc", more=True)
    client.sock.sendall(b"def")
    assert seen.get() == piece(b"def", more=False)
    assert client.response()[0] == 200
    assert seen.get() == DISCONNECT


def test_content_that_comes_at_once_behind_its_head_is_one_message(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.put("in")
        seen.put(await receive())
        await answer(send)

    client = serve(app)
    client.send("POST", "/", "Content-Length: 3")
    assert seen.get() == "in"
    client.sock.sendall(b"abc")
    assert seen.get() == piece(b"abc", more=False)
    assert client.response()[0] == 200


@pytest.mark.parametrize("size", [9_000, 100_000, 20_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_all_of_it_arrives_in_order(serve: Serve, size: int, chunked: bool) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    client = serve(hash_of)
    for _ in range(2):  # and the connection goes on
        if chunked:
            client.send("POST", "/", "Transfer-Encoding: chunked")
            for at in range(0, len(content), 30_000):
                some = content[at : at + 30_000]
                client.sock.sendall(b"%x\r\n%b\r\n" % (len(some), some))
            client.sock.sendall(b"0\r\n\r\n")
        else:
            client.send("POST", "/", content=content)
        assert client.response()[2].decode() == hashlib.sha256(content).hexdigest()


def test_an_application_that_does_not_receive_stops_the_client(serve: Serve) -> None:
    go_on, size = threading.Event(), 64 << 20

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await asyncio.to_thread(go_on.wait, 60)
        await answer(send, b"%d" % len(await content_of(receive)))

    client = serve(app, max_body_buffered=100_000)
    client.send("POST", "/", f"Content-Length: {size}")
    client.sock.settimeout(1)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < size:
            sent += client.sock.send(bytes(min(65536, size - sent)))
    assert sent < size
    client.sock.settimeout(60)
    go_on.set()
    client.sock.sendall(bytes(size - sent))
    assert client.response()[2] == b"%d" % size


def test_what_is_received_can_be_sent_back_at_once(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send(start())
        while True:
            message = await receive()
            await send(body(message["body"], more=message["more_body"]))
            if not message["more_body"]:
                return

    client, content = serve(app), bytes(range(256)) * 30_000
    client.send("POST", "/", f"Content-Length: {len(content)}")
    client.sock.sendall(content[:1000])
    assert client.head()[0] == 200
    got = b""
    while len(got) < 1000:  # before the rest is sent
        got += client.chunk()
    sender = threading.Thread(target=client.sock.sendall, args=(content[1000:],))
    sender.start()
    pieces = [got, *iter(client.chunk, b"")]
    sender.join()
    assert b"".join(pieces) == content
    client.send("POST", "/", content=b"again")  # the connection goes on
    assert client.response()[2] == b"again"


def test_receive_can_be_given_up_and_asked_again(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        for _ in range(100):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(receive(), 0)
        both = [asyncio.create_task(receive()) for _ in range(2)]
        await asyncio.sleep(0)
        seen.put("waits")
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        seen.put([one.result() for one in done])
        seen.put([one.result() for one in both if await asyncio.wait([one]) and one not in done])
        await answer(send)

    client = serve(app)
    client.send("POST", "/", "Content-Length: 6")
    assert seen.get() == "waits"
    client.sock.sendall(b"abc")
    assert seen.get() == [piece(b"abc", more=True)]
    client.sock.sendall(b"def")
    assert seen.get() == [piece(b"def", more=False)]
    assert client.response()[0] == 200


@pytest.mark.parametrize("streaming", [False, True])
def test_a_client_that_leaves_in_the_middle_has_disconnected(serve: Serve, streaming: bool) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if streaming:
            await send(start())
            await send(body(b"first", more=True))
        for _ in range(3):
            seen.put(await receive())
        try:
            await send(body(b"more", more=True) if streaming else start())
        except OSError as error:
            seen.put(error)

    client = serve(app)
    client.send("POST", "/", "Content-Length: 6")
    client.sock.sendall(b"abc")
    assert seen.get() == piece(b"abc", more=True)
    client.close()
    assert [seen.get(), seen.get()] == [DISCONNECT] * 2
    assert isinstance(seen.get(), ClientDisconnected)


def test_content_that_is_malformed_is_answered_and_looks_like_a_disconnect(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        for _ in range(3):
            seen.put(await receive())

    client = serve(app)
    client.send("POST", "/", "Transfer-Encoding: chunked")
    client.sock.sendall(b"3\r\nabc\r\n")
    assert seen.get() == piece(b"abc", more=True)
    client.sock.sendall(b"no size\r\n")
    status, fields, content = client.response()
    assert (status, fields["connection"]) == (400, "close")
    assert b"chunk" in content
    assert [seen.get(), seen.get()] == [DISCONNECT] * 2


def test_an_answer_without_the_content_closes_the_connection(serve: Serve) -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, b"early")
        seen.put(await receive())

    client = serve(app)
    client.send("POST", "/", "Content-Length: 100")
    status, fields, content = client.response()
    assert (status, fields["connection"], content) == (200, "close", b"early")
    assert seen.get() == DISCONNECT
    client.send("GET", "/")  # is content, and no request
    assert client.rest() == b""


def test_an_early_answer_reaches_a_client_that_sends_everything_first(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, b"early")

    client = serve(app, linger_timeout_s=60.0)
    client.send("POST", "/", content=bytes(20_000_000))
    status, fields, content = client.response()
    assert (status, fields["connection"], content) == (200, "close", b"early")


def test_a_client_that_asks_first_is_told_by_receive(serve: Serve) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, b"no" if scope["path"] == "/no" else await content_of(receive))

    client = serve(app)
    client.send("POST", "/", "Expect: 100-continue", "Content-Length: 3")
    assert client.head()[0] == 100
    client.sock.sendall(b"abc")
    assert client.response()[2] == b"abc"
    client.send("POST", "/no", "Expect: 100-continue", "Content-Length: 3")
    status, fields, content = client.response()
    assert (status, fields["connection"], content) == (200, "close", b"no")


@pytest.mark.parametrize("framing", ["Content-Length: 11", "Transfer-Encoding: chunked"])
def test_max_body_bounds_it_when_it_is_given(serve: Serve, framing: str) -> None:
    client = serve(hash_of, max_body=10)
    client.send("POST", "/", framing)
    client.sock.sendall(b"8\r\n01234567\r\n8\r\n")
    assert client.response()[0] == 413


def test_an_upload_under_way_is_finished_when_the_server_stops() -> None:
    seen = Seen()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        seen.put("in")
        await hash_of(scope, receive, send)

    server = asgi.Server(http_only(app))
    server.start()
    client = Client(server.url)
    client.send("POST", "/", "Content-Length: 6")
    assert seen.get() == "in"
    server.begin_stop(60)
    client.sock.sendall(b"abcdef")
    status, fields, content = client.response()
    assert (status, fields["connection"]) == (200, "close")
    assert content.decode() == hashlib.sha256(b"abcdef").hexdigest()
    server.stop()
    client.close()


def test_many_clients_upload_at_once(serve: Serve) -> None:
    first = serve(hash_of, threads=2, max_body_buffered=50_000)
    url = f"http://127.0.0.1:{first.sock.getpeername()[1]}"
    wrong: list[int] = []

    def work(n: int) -> None:
        client, content = Client(url), bytes([n]) * 1_000_000
        client.sock.settimeout(60)
        for _ in range(3):
            client.send("POST", "/", content=content)
            if client.response()[2].decode() != hashlib.sha256(content).hexdigest():
                wrong.append(n)
        client.close()

    in_threads(8, work)
    assert wrong == []


# --- frameworks, in a process whose memory is looked at ---

SIZE = 48 << 20  # more than routes that gather would take, and than the process may grow
MAY_GROW = 24 << 20


def peak(pid: int) -> int:
    """Bytes that the process has had in memory at most."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def upload(client: Client, path: str, size: int) -> tuple[int, dict[str, Any], str]:
    """As a form with one file, or as it is; status, answer, and the hash of what was sent."""
    before = after = b""
    headers = []
    if path == "/file":
        before = b'--line\r\nContent-Disposition: form-data; name="content"; filename="a"\r\n\r\n'
        after = b"\r\n--line--\r\n"
        headers = ["Content-Type: multipart/form-data; boundary=line"]
    client.send("POST", path, *headers, f"Content-Length: {len(before) + size + len(after)}")
    digest, block = hashlib.sha256(), bytes(range(256)) * 256
    client.sock.sendall(before)
    for at in range(0, size, len(block)):
        some = block[: size - at]
        digest.update(some)
        client.sock.sendall(some)
    client.sock.sendall(after)
    status, _, content = client.response()
    return status, json.loads(content), digest.hexdigest()


@LOOPS
@pytest.mark.parametrize("path", ["/file", "/stream"])
def test_an_upload_of_a_framework_is_not_held_in_memory(loop: str, path: str) -> None:
    with served("--loop", loop, target="asgi_uploads:app") as (process, url):
        client = Client(url)
        client.sock.settimeout(60)
        upload(client, path, 2 << 20)  # what is made once
        before = peak(process.pid)
        status, got, digest = upload(client, path, SIZE)
        assert (status, got) == (200, {"size": SIZE, "sha256": digest})
        assert peak(process.pid) - before < MAY_GROW
        client.close()
