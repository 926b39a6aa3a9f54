"""headrace.http.App for server_bench.py: the rivals' tasks inline, and hello on every executor."""

from __future__ import annotations

import sys
from typing import Any

from headrace.http import App, Request

app = App(process_workers=1)


@app.get("/hello", executor="inline")
def hello(request: Request) -> str:
    return "Hello, World!"


@app.post("/echo", executor="inline")
def echo(request: Request) -> bytes:
    return request.body


@app.post("/json", executor="inline")
def reprint(request: Request) -> Any:
    return request.json()


async def hello_later(request: Request) -> str:
    return "Hello, World!"


app.get("/native", native="hello")
app.get("/inline", executor="inline")(hello)
app.get("/thread", executor="thread")(hello)
app.get("/sync", executor="sync")(hello)
app.get("/process", executor="process")(hello)
app.get("/asyncio", executor="asyncio")(hello_later)

if __name__ == "__main__":
    app.serve(port=int(sys.argv[1]), ready=lambda url: print("ready", flush=True))
