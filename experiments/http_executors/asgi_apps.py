"""What the ASGI servers run: the same three answers by hand and with Starlette."""

from __future__ import annotations

import json
from typing import Any


async def raw(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError
    content, kind = b"Hello, World!", b"text/plain"
    if scope["path"] != "/hello":
        content = b""
        more = True
        while more:
            message = await receive()
            content += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["path"] == "/json":
            content, kind = json.dumps(json.loads(content)).encode(), b"application/json"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def make_starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    async def hello(request: Request) -> Response:
        return PlainTextResponse("Hello, World!")

    async def echo(request: Request) -> Response:
        return PlainTextResponse(await request.body())

    async def print_json(request: Request) -> Response:
        return JSONResponse(await request.json())

    routes = [
        Route("/hello", hello),
        Route("/echo", echo, methods=["POST"]),
        Route("/json", print_json, methods=["POST"]),
    ]
    return Starlette(routes=routes)
