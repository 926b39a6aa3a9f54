"""headrace.http.App over real sockets: what handlers get and return, on every executor that runs in this process."""

from __future__ import annotations

import logging
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from http_helpers import Asking, ask, until

import headrace
from headrace.errors import Closed, ConnectionFailed, InvalidArgument
from headrace.http import Accepted, App, HTTPError, Request, Response

HERE = ("thread", "sync", "inline")
ALL = (*HERE, "asyncio")


@pytest.fixture
def app() -> Iterator[App]:
    made = App(thread_workers=2)
    yield made
    made.close()


@pytest.mark.parametrize("executor", HERE)
def test_a_handler_sees_the_request(app: App, executor: Any) -> None:
    @app.post("/a/{id}/{rest...}", executor=executor)
    def show(request: Request) -> dict[str, Any]:
        return {
            "method": request.method,
            "target": request.target,
            "path": request.path,
            "query": request.query,
            "query_params": request.query_params,
            "params": request.params,
            "host": request.headers["HOST"],
            "none": request.headers.get("x-none"),
            "body": request.text,
            "json": request.json(),
            "client": request.client,
            "version": request.http_version,
            "cancelled": request.cancelled,
        }

    with app.running() as url:
        answer = ask(url, "/a/x%20y/b/c?q=1&q=2&e=", method="POST", body=b'{"n": 1}')
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "method": "POST",
        "target": "/a/x%20y/b/c?q=1&q=2&e=",
        "path": "/a/x y/b/c",
        "query": "q=1&q=2&e=",
        "query_params": {"q": ["1", "2"], "e": [""]},
        "params": {"id": "x y", "rest": "b/c"},
        "host": url.removeprefix("http://"),
        "none": None,
        "body": '{"n": 1}',
        "json": {"n": 1},
        "client": "127.0.0.1",
        "version": "1.1",
        "cancelled": False,
    }


@pytest.mark.parametrize("executor", HERE)
@pytest.mark.parametrize(
    ("result", "status", "content_type", "body"),
    [
        (b"\x00\xff", 200, "application/octet-stream", b"\x00\xff"),
        (bytearray(b"abc"), 200, "application/octet-stream", b"abc"),
        ("é", 200, "text/plain; charset=utf-8", "é".encode()),
        ({"a": ["é", None]}, 200, "application/json", '{"a":["é",null]}'.encode()),
        ([1, 2.5], 200, "application/json", b"[1,2.5]"),
        (None, 204, None, b""),
        (Response("x", 418, {"X-A": "1"}), 418, "text/plain; charset=utf-8", b"x"),
        (Response({"a": 1}, 201, content_type="application/problem+json"), 201, "application/problem+json", b'{"a":1}'),
        (Response(status=404), 404, None, b""),
    ],
)
def test_what_handlers_return(
    app: App, executor: Any, result: Any, status: int, content_type: str | None, body: bytes
) -> None:
    app.get("/", executor=executor)(lambda request: result)
    with app.running() as url:
        answer = ask(url, "/")
    assert (answer.status, answer.headers.get("content-type"), answer.body) == (status, content_type, body)
    assert ("x-a" in answer.headers) == (status == 418)


@pytest.mark.parametrize("executor", HERE)
@pytest.mark.parametrize(
    "result",
    [
        object(),
        {"a": float("nan")},
        Response(b"", 99),
        Response(b"", headers={"X": "a\r\nb"}),
        Response(b"", headers=[1]),
    ],
)
def test_what_cannot_be_sent_is_500_and_logged(
    app: App, executor: Any, result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app.get("/odd", executor=executor)(lambda request: result)
    with app.running() as url, caplog.at_level(logging.ERROR, "headrace.http"):
        assert ask(url, "/odd").status == 500
        until(lambda: "GET /odd" in caplog.text)
    assert app.stats()["GET /odd"].failed == 1


@pytest.mark.parametrize("executor", HERE)
def test_a_handler_that_raises_is_logged_and_tells_the_client_nothing(
    app: App, executor: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/fail", executor=executor)
    def fail(request: Request) -> None:
        raise ValueError("a secret")

    with app.running() as url:
        answer = ask(url, "/fail")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    record = next(r for r in caplog.records if r.name == "headrace.http")
    assert "GET /fail" in record.getMessage()
    assert record.exc_info is not None
    assert "a secret" in str(record.exc_info[1])
    stats = app.stats()["GET /fail"]
    assert (stats.requests, stats.replied, stats.finished, stats.failed) == (1, 1, 1, 1)


def test_an_http_error_is_answered_and_not_logged(app: App, caplog: pytest.LogCaptureFixture) -> None:
    @app.post("/json", executor="inline")
    def read(request: Request) -> Any:
        if request.body == b"teapot":
            raise HTTPError(418, "short and stout")
        return request.json()

    with app.running() as url:
        assert ask(url, "/json", method="POST", body=b"teapot").body == b"short and stout\n"
        assert ask(url, "/json", method="POST", body=b"{").status == 400
    assert not caplog.records


@pytest.mark.parametrize("executor", HERE)
def test_a_generator_is_streamed_as_fast_as_the_client_reads(app: App, executor: Any) -> None:
    piece = b"x" * 65536
    ended = threading.Event()

    @app.get("/stream", executor=executor)
    def stream(request: Request) -> Iterator[bytes | str]:
        yield "first\n"
        for _ in range(200):
            yield piece
        ended.set()

    with app.running() as url:
        answer = ask(url, "/stream")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.body == b"first\n" + piece * 200
    assert ended.is_set()


@pytest.mark.parametrize("executor", HERE)
def test_a_generator_is_closed_when_the_client_leaves(app: App, executor: Any) -> None:
    import socket

    closed = threading.Event()

    @app.get("/endless", executor=executor)
    def endless(request: Request) -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            closed.set()

    with app.running() as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(100)
        assert closed.wait(20)


@pytest.mark.parametrize("executor", HERE)
def test_a_generator_that_raises_ends_the_connection(app: App, executor: Any) -> None:
    import http.client

    @app.get("/broken", executor=executor)
    def broken(request: Request) -> Iterator[bytes]:
        yield b"x"
        raise ValueError("half way")

    with app.running() as url, pytest.raises(http.client.IncompleteRead):
        ask(url, "/broken")


def test_a_request_can_be_kept_and_pickled(app: App) -> None:
    kept: list[Request] = []
    for executor in HERE:
        app.post(f"/{executor}", executor=executor)(lambda request: kept.append(request))
    with app.running() as url:
        for executor in HERE:
            ask(url, f"/{executor}?a=1", method="POST", body=b"body")
            ask(url, "/elsewhere")
    for request in kept:
        for each in (request, pickle.loads(pickle.dumps(request))):
            assert (each.method, each.query, each.body) == ("POST", "a=1", b"body")
            assert each.client == "127.0.0.1"
            assert int(each.headers["content-length"]) == 4


def test_full_is_503_with_retry_after(app: App) -> None:
    go = threading.Event()

    @app.get("/slow", concurrency=1, max_queue_size=1)
    def slow(request: Request) -> str:
        go.wait(20)
        return "done"

    with app.running() as url:
        first = Asking(url, "/slow")
        until(lambda: app.stats()["GET /slow"].running == 1)
        second = Asking(url, "/slow")
        until(lambda: app.stats()["GET /slow"].waiting == 1)
        refused = ask(url, "/slow")
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) >= 1
        go.set()
        assert first.answer().body == second.answer().body == b"done"
    stats = app.stats()["GET /slow"]
    assert (stats.requests, stats.finished, stats.refused) == (3, 2, 1)


def test_a_deadline_answers_and_the_late_call_is_counted(app: App) -> None:
    go = threading.Event()
    seen: list[bool] = []

    @app.get("/late", deadline=0.05, concurrency=1)
    def late(request: Request) -> str:
        go.wait(20)
        seen.append(request.cancelled)
        return "late"

    @app.get("/now")
    def now(request: Request) -> str:
        return "now"

    with app.running() as url:
        assert ask(url, "/late").status == 504
        assert ask(url, "/late").status == 504  # it waited behind the one that goes on
        assert app.stats()["GET /late"].running == 1
        go.set()
        until(lambda: app.stats()["GET /late"].finished == 1)
        assert ask(url, "/now").body == b"now"
    stats = app.stats()["GET /late"]
    assert seen == [True]
    assert (stats.timed_out, stats.replied, stats.running) == (2, 0, 0)


def test_sync_runs_one_request_of_all_routes_at_a_time(app: App) -> None:
    inside, most = 0, 0
    lock = threading.Lock()

    def one(request: Request) -> str:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.001)
        with lock:
            inside -= 1
        return "done"

    app.get("/a", executor="sync")(one)
    app.get("/b", executor="sync")(one)
    with app.running() as url:
        asked = [Asking(url, path) for path in ("/a", "/b") * 10]
        assert {each.answer().body for each in asked} == {b"done"}
    assert most == 1


def test_accepted_work_is_done_after_its_answer_and_counted(app: App) -> None:
    go, done = threading.Event(), threading.Event()

    def work(what: str, *, flag: bool) -> None:
        assert (what, flag) == ("now", True)
        go.wait(20)
        done.set()

    app.post("/jobs", concurrency=1, max_queue_size=1)(lambda request: Accepted(work, "now", flag=True))
    with app.running() as url:
        answer = ask(url, "/jobs", method="POST")
        assert answer.status == 202
        assert answer.headers["location"] == answer.json()["status_url"]
        status_url = answer.json()["status_url"]
        until(lambda: ask(url, status_url).json() == {"id": answer.json()["id"], "state": "running"})
        assert app.stats()["POST /jobs"].detached_finished == 0
        go.set()
        assert app.wait_detached(20)
        assert done.is_set()
        assert ask(url, status_url).json()["state"] == "done"
        assert ask(url, "/accepted/unknown").status == 404
    stats = app.stats()["POST /jobs"]
    assert (stats.requests, stats.replied, stats.detached, stats.detached_finished) == (1, 1, 1, 1)


def test_accepted_work_that_raises_has_failed(app: App, caplog: pytest.LogCaptureFixture) -> None:
    def work() -> None:
        raise ValueError("not today")

    app.post("/jobs")(lambda request: Accepted(work))
    with app.running() as url:
        answer = ask(url, "/jobs", method="POST").json()
        assert app.wait_detached(20)
        assert ask(url, answer["status_url"]).json()["state"] == "failed"
    assert "POST /jobs" in caplog.text


def test_routes_are_in_the_metrics(app: App) -> None:
    app.get("/hello", executor="inline")(lambda request: "hello")
    app.get("/thread")(lambda request: "hello")
    app.get("/metrics", native="metrics")
    with app.running() as url:
        ask(url, "/hello")
        text = ask(url, "/metrics").body.decode()
    assert 'headrace_http_route_requests_total{route="GET /hello"} 1\n' in text
    assert 'headrace_http_route_requests_total{route="GET /thread"} 0\n' in text
    assert "headrace_http_requests_total 2\n" in text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"executor": "fiber"}, "unknown executor 'fiber'; there are sync, inline, thread, process, asyncio, native"),
        ({"executor": "native"}, "native='hello'"),
        ({"executor": "asyncio"}, "needs an async def"),
        ({"concurrency": 0}, "concurrency"),
        ({"max_queue_size": -1}, "max_queue_size"),
        ({"on_full": "wait"}, "on_full"),
        ({"deadline": 0}, "deadline"),
        ({"executor": "inline", "concurrency": 3}, "nothing waits"),
        ({"executor": "sync", "concurrency": 2}, "one request at a time"),
    ],
)
def test_what_is_out_of_range_is_refused_when_the_route_is_made(app: App, options: Any, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        app.get("/x", **options)(lambda request: None)


def test_coroutines_do_not_run_elsewhere(app: App) -> None:
    async def handler(request: Request) -> None: ...

    with pytest.raises(InvalidArgument, match="async def"):
        app.get("/x", executor="thread")(handler)


def test_a_route_is_taken_once_but_a_cell_may_run_again(app: App) -> None:
    def define(text: str) -> None:
        @app.get("/x", executor="inline")
        def handler(request: Request) -> str:
            return text

    define("one")
    define("two")
    with pytest.raises(InvalidArgument, match="taken"):
        app.get("/x")(lambda request: None)
    with app.running() as url:
        assert ask(url, "/x").body == b"two"


def test_a_bad_pattern_is_refused_at_the_start(app: App) -> None:
    app.get("/x/{")(lambda request: None)
    with pytest.raises(InvalidArgument), app.running():
        pass


def test_a_port_in_use_says_so(app: App) -> None:
    with headrace.http.Server().running() as taken:
        again = app.running(port=int(taken.rsplit(":", 1)[1]))
        with pytest.raises(ConnectionFailed, match="in use"):
            again.__enter__()


def test_an_app_runs_again_until_it_is_closed(app: App) -> None:
    app.get("/")(lambda request: "here")
    for _ in range(2):
        with app.running(threads=2) as url:
            assert ask(url, "/").body == b"here"
    assert app.stats()["GET /"].requests == 2
    app.close()
    with pytest.raises(Closed), app.running():
        pass


def test_a_drain_finishes_what_was_accepted(app: App) -> None:
    go = threading.Event()

    @app.get("/slow", concurrency=1)
    def slow(request: Request) -> str:
        go.wait(20)
        return "done"

    with app.running() as url:
        asked = [Asking(url, "/slow") for _ in range(3)]
        until(lambda: app.stats()["GET /slow"].waiting == 2)
        threading.Timer(0.05, go.set).start()
    assert [each.answer().body for each in asked] == [b"done"] * 3
