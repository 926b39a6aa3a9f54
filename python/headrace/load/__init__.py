"""Load generators that cannot fool you: latency from the intended time, nothing dropped, limits said.

>>> from headrace import load
>>> result = load.http("http://127.0.0.1:8000/", users=25, duration_s=10)
>>> print(result.summary())
>>> result.percentile(99)                              # ms
>>> load.http(url, rate=500, duration_s=30, fail_if=["p99>200ms"]).verdict
'valid'

`http` puts an HTTP/1.1 server under load: users who wait for answers (closed loop, as siege and wrk do) or a schedule
that waits for nobody (open loop: ``rate=``). The requests are sent by native threads; no Python runs per request.
"""

from __future__ import annotations

from headrace.load.http_load import Interrupted, http
from headrace.load.requests import Request, read_requests
from headrace.load.result import LoadResult

__all__ = ["Interrupted", "LoadResult", "Request", "http", "read_requests"]
