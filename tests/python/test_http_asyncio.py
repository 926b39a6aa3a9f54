"""``asyncio`` routes of headrace.http.App: coroutines and async generators on the app's event loop."""

from __future__ import annotations

import asyncio
import gc
import http.client
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from http_helpers import Asking, ask, until

from headrace.http import Accepted, App, HTTPError, Request, Response


@pytest.fixture(params=["asyncio", "uvloop"])
def app(request: pytest.FixtureRequest) -> Iterator[App]:
    made = App(loop=request.param)
    yield made
    made.close()


def test_coroutines_of_many_clients_wait_at_once(app: App) -> None:
    inside: list[int] = []
    all_here = asyncio.Event()

    @app.get("/meet/{n}")
    async def meet(request: Request) -> dict[str, Any]:
        assert asyncio.current_task() is not None
        inside.append(int(request.params["n"]))
        if len(inside) == 20:
            all_here.set()
        await all_here.wait()
        return {"n": int(request.params["n"])}

    with app.running(threads=2) as url:
        asked = [Asking(url, f"/meet/{n}") for n in range(20)]
        assert [each.answer().json() for each in asked] == [{"n": n} for n in range(20)]
    stats = app.stats()["GET /meet/{n}"]
    assert (stats.replied, stats.finished, stats.failed) == (20, 20, 0)


class Lonely(asyncio.Future[str]):
    """Can be found by a weak reference."""


def test_a_coroutine_that_only_its_own_future_knows_is_no_garbage(app: App) -> None:
    waiting: list[tuple[asyncio.AbstractEventLoop, weakref.ref[Lonely]]] = []

    @app.get("/wait")
    async def wait(request: Request) -> str:
        loop = asyncio.get_running_loop()
        future = Lonely(loop=loop)
        waiting.append((loop, weakref.ref(future)))
        return await future

    @app.get("/other")
    async def other(request: Request) -> str:
        return "other"

    with app.running() as url:
        for n in range(3):  # the later ones in tasks that are used again
            asked = Asking(url, "/wait")
            until(lambda: len(waiting) == 1)
            assert ask(url, "/other").status == 200  # its first step is over
            gc.collect()
            loop, reference = waiting.pop()
            future = reference()
            assert future is not None
            loop.call_soon_threadsafe(future.set_result, f"answer {n}")
            del future
            assert asked.answer().body == f"answer {n}".encode()


def test_what_coroutines_return(app: App) -> None:
    results = {"bytes": b"x", "none": None, "response": Response("no", 404), "odd": object()}

    @app.get("/{what}")
    async def give(request: Request) -> Any:
        if request.params["what"] == "error":
            raise HTTPError(409)
        return results[request.params["what"]]

    with app.running() as url:
        assert ask(url, "/bytes").body == b"x"
        assert ask(url, "/none").status == 204
        assert (ask(url, "/response").status, ask(url, "/error").status) == (404, 409)
        assert (ask(url, "/odd").status, ask(url, "/unknown").status) == (500, 500)


def test_async_generators_are_streamed(app: App) -> None:
    piece = b"x" * 65536

    @app.get("/whole")
    async def whole(request: Request) -> AsyncIterator[bytes | str]:
        yield "first\n"
        for _ in range(200):
            await asyncio.sleep(0)
            yield piece

    @app.get("/plain")
    async def plain(request: Request) -> Response:
        return Response((f"{n}\n" for n in range(3)), content_type="text/plain")

    @app.get("/broken")
    async def broken(request: Request) -> AsyncIterator[bytes]:
        yield b"x"
        raise ValueError("half way")

    with app.running() as url:
        assert ask(url, "/whole").body == b"first\n" + piece * 200
        assert ask(url, "/plain").body == b"0\n1\n2\n"
        with pytest.raises(http.client.IncompleteRead):
            ask(url, "/broken")


def test_a_client_that_does_not_read_holds_its_generator_back(app: App) -> None:
    given = 0
    closed = threading.Event()

    @app.get("/endless")
    async def endless(request: Request) -> AsyncIterator[bytes]:
        nonlocal given
        try:
            while True:
                given += 1
                yield b"x" * 65536
        finally:
            closed.set()

    @app.get("/other")
    async def other(request: Request) -> str:
        return "alive"

    with app.running() as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(10)
            before = -1
            while before != given:  # it stands still while other requests are answered
                before = given
                for _ in range(20):
                    assert ask(url, "/other").body == b"alive"
            assert given * 65536 < 64 * 1024 * 1024
        assert closed.wait(20)


def test_a_client_that_leaves_cancels_its_coroutine(app: App) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    @app.get("/slow")
    async def slow(request: Request) -> None:
        begun.set()
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with app.running() as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            assert begun.wait(20)
        assert cancelled.wait(20)
        until(lambda: app.stats()["GET /slow"].running == 0)
    stats = app.stats()["GET /slow"]
    assert (stats.cancelled, stats.finished, stats.failed) == (1, 1, 0)


def test_a_deadline_cancels_a_coroutine(app: App) -> None:
    cancelled = threading.Event()

    @app.get("/slow", deadline=0.05)
    async def slow(request: Request) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            cancelled.set()

    with app.running() as url:
        assert ask(url, "/slow").status == 504
        assert cancelled.wait(20)


def test_concurrency_bounds_coroutines(app: App) -> None:
    go = threading.Event()

    @app.get("/slow", concurrency=1, max_queue_size=1)
    async def slow(request: Request) -> str:
        while not go.is_set():
            await asyncio.sleep(0.001)
        return "done"

    with app.running() as url:
        first = Asking(url, "/slow")
        until(lambda: app.stats()["GET /slow"].running == 1)
        second = Asking(url, "/slow")
        until(lambda: app.stats()["GET /slow"].waiting == 1)
        assert ask(url, "/slow").status == 503
        go.set()
        assert first.answer().body == second.answer().body == b"done"


def test_accepted_coroutines_are_awaited(app: App) -> None:
    done: list[str] = []

    async def work(what: str) -> None:
        await asyncio.sleep(0)
        done.append(what)

    @app.post("/jobs")
    async def jobs(request: Request) -> Accepted:
        return Accepted(work, "later")

    with app.running() as url:
        answer = ask(url, "/jobs", method="POST")
        assert answer.status == 202
        assert app.wait_detached(20)
        assert ask(url, answer.json()["status_url"]).json()["state"] == "done"
    assert done == ["later"]


def test_closing_ends_what_still_runs(app: App) -> None:
    @app.get("/for-ever")
    async def for_ever(request: Request) -> None:
        await asyncio.sleep(1000)

    with app.running(grace_s=0.05) as url:
        asked = Asking(url, "/for-ever", tolerant=True)
        until(lambda: app.stats()["GET /for-ever"].running == 1)
    app.close(grace_s=0.05)
    asked.join(20)
    assert app.stats()["GET /for-ever"].running == 0
