"""Private servers: real brokers on loopback, in a temporary folder, gone when you are done.

>>> from headrace.servers import RedisServer
>>> with RedisServer(appendfsync="always") as redis:      # doctest: +SKIP
...     print(redis.url)
redis://127.0.0.1:40613

They need no part of headrace's own clients, so they serve as test fixtures for other software too
(``pytest_plugins = ["headrace.servers.pytest_plugin"]``).
"""

from __future__ import annotations

from headrace.servers.base import PrivateServer
from headrace.servers.redis import RedisServer
from headrace.servers.redis_probe import RedisProbe
from headrace.servers.usage import Usage

__all__ = ["PrivateServer", "RedisProbe", "RedisServer", "Usage"]
