"""The lifespan of ASGI applications (asgiref, specs/lifespan.rst 2.0)."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest
from asgi_helpers import Client, Scope, body, start

from headrace import asgi
from headrace.errors import ConnectionFailed, InvalidArgument

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


def application(log: list[Any], on_startup: Callable[[Scope], dict[str, Any]] | None = None) -> Any:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            log.append(("request", scope["state"]))
            await send(start())
            return await send(body(b"ok"))
        log.append((scope["type"], scope["asgi"]))
        assert await receive() == {"type": "lifespan.startup"}
        log.append("startup")
        await send(on_startup(scope) if on_startup else {"type": "lifespan.startup.complete"})
        assert await receive() == {"type": "lifespan.shutdown"}
        log.append("shutdown")
        await send({"type": "lifespan.shutdown.complete"})
        return None

    return app


@LOOPS
def test_startup_comes_before_listening_and_shutdown_after_the_last_request(loop: str) -> None:
    log: list[Any] = []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def nobody_listens_yet(scope: Scope) -> dict[str, Any]:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        return {"type": "lifespan.startup.complete"}

    server = asgi.Server(application(log, nobody_listens_yet), port=port, loop=loop)
    for _ in server.running(), asgi.Server(application(log), loop=loop).running():
        with _ as url:
            client = Client(url)
            assert client.get()[2] == b"ok"
            client.close()
    once = [("lifespan", {"version": "3.0", "spec_version": "2.0"}), "startup", ("request", {}), "shutdown"]
    assert log == once * 2


@LOOPS
def test_each_request_gets_a_shallow_copy_of_the_state(loop: str) -> None:
    shared: list[int] = []

    def fill(scope: Scope) -> dict[str, Any]:
        scope["state"]["shared"] = shared
        scope["state"]["count"] = 1
        return {"type": "lifespan.startup.complete"}

    log: list[Any] = []
    inner = application(log, fill)

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            assert scope["state"]["shared"] is shared
            scope["state"]["shared"].append(scope["state"]["count"])
            scope["state"]["count"] += 1
        await inner(scope, receive, send)

    with asgi.running(app, loop=loop) as url:
        client = Client(url)
        for _ in range(3):
            assert client.get()[0] == 200
        client.close()
    assert shared == [1, 1, 1]


def test_an_application_without_a_lifespan_is_served(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        assert scope["type"] == "http", "no lifespan here"
        await send(start())
        await send(body(b"ok"))

    with caplog.at_level(logging.INFO, "headrace.asgi"), asgi.running(app) as url:
        client = Client(url)
        assert client.get()[2] == b"ok"
        client.close()
    assert "the application has no lifespan: AssertionError" in caplog.text


def test_an_application_that_must_have_a_lifespan_and_has_none_does_not_start() -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        raise NotImplementedError

    with pytest.raises(asgi.LifespanFailed, match="no lifespan: NotImplementedError"):
        asgi.Server(app, lifespan="on").start()


def test_lifespan_off_asks_nobody() -> None:
    log: list[Any] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        log.append((scope["type"], "state" in scope))
        await send(start())
        await send(body())

    with asgi.running(app, lifespan="off") as url:
        client = Client(url)
        client.get()
        client.close()
    assert log == [("http", False)]


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_startup_that_failed_is_an_error_with_its_message(mode: str) -> None:
    log: list[Any] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        log.append("cleaned up")

    with pytest.raises(asgi.LifespanFailed, match=r"^no database$"):
        asgi.Server(app, lifespan=mode).start()
    assert log == ["cleaned up"]


@pytest.mark.parametrize("how", ["failed", "raised", "early"])
def test_a_shutdown_that_failed_is_an_error(how: str) -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        if how == "early":
            raise ValueError("early")
        await receive()
        if how == "raised":
            raise ValueError("raised")
        await send({"type": "lifespan.shutdown.failed", "message": "failed"})

    server = asgi.Server(app)
    server.start()
    with pytest.raises(asgi.LifespanFailed, match=how):
        server.stop()


def test_a_wrong_message_is_raised_in_the_application() -> None:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    with pytest.raises(asgi.LifespanFailed, match=r"unexpected ASGI message .http\.response\.start."):
        asgi.Server(app, lifespan="on").start()


def test_a_port_that_is_taken_is_an_error_and_the_application_shuts_down() -> None:
    log: list[Any] = []
    with asgi.running(application([])) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(ConnectionFailed):
            asgi.Server(application(log), port=port).start()
    assert log[1:] == ["startup", "shutdown"]


def test_an_unknown_mode_is_an_error() -> None:
    with pytest.raises(InvalidArgument, match="auto, on, off"):
        asgi.Server(application([]), lifespan="maybe")
