"""Runs ASGI 3.0 applications (Starlette, FastAPI, ...) on the native HTTP server.

>>> async def hello(scope, receive, send):
...     await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
...     await send({"type": "http.response.body", "body": b"Hello, World!"})
>>> with headrace.asgi.running(hello) as url:
...     urllib.request.urlopen(url).read()
b'Hello, World!'

`serve("module:app", workers=2)` runs until SIGINT or SIGTERM, ``headrace serve http --asgi module:app`` is the same
from the command line, and `Server` is for programs that start and stop by themselves. What applications can rely on is
in docs/how-to/asgi.md.
"""

from __future__ import annotations

from headrace.asgi.lifespan import LifespanFailed
from headrace.asgi.server import Server
from headrace.asgi.serving import running, serve

__all__ = ["LifespanFailed", "Server", "running", "serve"]
