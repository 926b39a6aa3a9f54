"""HTTP/1.1 server: Python handlers on the executor that each route names, and native (C++) routes.

>>> app = headrace.http.App()
>>> @app.get("/hello/{name}", executor="thread", deadline=2.0)
... def hello(request):
...     return {"hello": request.params["name"]}
>>> with app.running() as url:
...     urllib.request.urlopen(url + "/hello/world").read()
b'{"hello":"world"}'

`App` is for programs and tests; ``headrace serve http module:app`` is its command. `Server` is the server core with
native routes only, where no Python runs per request.
"""

from __future__ import annotations

from headrace._core.http import Request
from headrace.http.app import App
from headrace.http.failures import HTTPError
from headrace.http.fields import Headers
from headrace.http.response import Accepted, Response
from headrace.http.server import Server
from headrace.http.stats import RouteStats

__all__ = ["Accepted", "App", "HTTPError", "Headers", "Request", "Response", "RouteStats", "Server"]
