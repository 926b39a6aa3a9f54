"""Starlette and FastAPI applications on our server: what their own test suites take for granted of a server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import anyio
import fastapi
import pytest
from asgi_helpers import Client
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from headrace import asgi

done: queue.Queue[str] = queue.Queue()


async def state(request: Request) -> JSONResponse:
    return JSONResponse({"started": request.state.started, "client": request.client is not None})


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


async def upload(request: Request) -> JSONResponse:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return JSONResponse({"size": size})


async def stream(request: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for n in range(5):
            yield b"%d," % n
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/plain")


def threaded(request: Request) -> PlainTextResponse:
    """Not a coroutine: runs in a thread of anyio."""
    return PlainTextResponse(anyio.from_thread.run(give, "from a thread"))


async def give(text: str) -> str:
    return text


async def file(request: Request) -> FileResponse:
    return FileResponse(Path(__file__))


async def background(request: Request) -> PlainTextResponse:
    return PlainTextResponse("soon", background=BackgroundTask(done.put, "ran"))


async def disconnected(request: Request) -> JSONResponse:
    return JSONResponse([await request.is_disconnected() for _ in range(3)])


async def fail(request: Request) -> PlainTextResponse:
    raise ValueError("on purpose")


class Marked(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-marked"] = "yes"
        return response


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    yield {"started": True}


def make_starlette() -> Starlette:
    handlers = [state, stream, threaded, file, background, disconnected, fail]
    routes: list[Any] = [Route(f"/{h.__name__}", h) for h in handlers]
    routes += [Route("/echo", echo, methods=["POST"]), Route("/upload", upload, methods=["POST"])]
    routes += [Mount("/sub", routes=[Route("/state", state)])]
    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(GZipMiddleware), Middleware(Marked)])


def number(n: int) -> int:
    return n + 1


def make_fastapi() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.get("/add/{n}")
    async def add(n: Annotated[int, fastapi.Depends(number)], q: str = "none") -> dict[str, Any]:
        return {"n": n, "q": q}

    @app.post("/items")
    def items(item: dict[str, int]) -> dict[str, int]:
        return {k: v * 2 for k, v in item.items()}

    return app


@pytest.fixture(params=["asyncio", "uvloop"], scope="module")
def starlette(request: pytest.FixtureRequest) -> Iterator[str]:
    with asgi.running(make_starlette(), loop=request.param) as url:
        yield url


@pytest.fixture
def client(starlette: str) -> Iterator[Client]:
    one = Client(starlette)
    yield one
    one.close()


@pytest.mark.parametrize("path", ["/state", "/sub/state"])
def test_lifespan_state_reaches_requests(client: Client, path: str) -> None:
    status, fields, content = client.get(path)
    assert (status, json.loads(content), fields["x-marked"]) == (200, {"started": True, "client": True}, "yes")


def test_bodies_arrive(client: Client) -> None:
    for size in (0, 1, 100, 1_000_000):
        client.send("POST", "/upload", content=b"x" * size)
        assert json.loads(client.response()[2]) == {"size": size}
    client.send("POST", "/echo", content=b"content")
    assert client.response()[2] == b"content"


def test_streams_and_files_arrive(client: Client) -> None:
    assert client.get("/stream")[2] == b"0,1,2,3,4,"
    assert client.get("/file")[2] == Path(__file__).read_bytes()
    client.send("GET", "/file", "Range: bytes=3-7")
    status, _, content = client.response()
    assert (status, content) == (206, Path(__file__).read_bytes()[3:8])
    client.send("HEAD", "/file")
    assert client.response(of_head=True)[1]["content-length"] == str(Path(__file__).stat().st_size)
    client.send("GET", "/file", "Accept-Encoding: gzip")
    assert client.response()[1]["content-encoding"] == "gzip"


def test_threads_find_their_way_back_to_the_loop(client: Client) -> None:
    for _ in range(20):
        assert client.get("/threaded")[2] == b"from a thread"


def test_background_tasks_run(client: Client) -> None:
    assert client.get("/background")[2] == b"soon"
    assert done.get(timeout=10) == "ran"


def test_a_client_that_is_there_is_not_disconnected(client: Client) -> None:
    assert json.loads(client.get("/disconnected")[2]) == [False] * 3


def test_errors_are_answered_and_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    assert client.get("/fail")[0] == 500
    assert client.get("/nothing")[0] == 404
    assert client.get("/echo")[0] == 405
    assert "on purpose" in caplog.text


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_fastapi(loop: str) -> None:
    with asgi.running(make_fastapi(), loop=loop) as url:
        client = Client(url)
        assert json.loads(client.get("/add/6?q=%C3%A9")[2]) == {"n": 7, "q": "é"}
        assert client.get("/add/x")[0] == 422
        client.send("POST", "/items", "Content-Type: application/json", content=b'{"a": 2}')
        assert json.loads(client.response()[2]) == {"a": 4}
        assert client.get("/openapi.json")[0] == 200
        assert client.get("/docs")[1]["content-type"] == "text/html; charset=utf-8"
        client.close()
