"""Private servers as pytest fixtures: ``pytest_plugins = ["headrace.servers.pytest_plugin"]``.

redis_server           a fresh ``RedisServer`` (everysec) for one test
shared_redis_server    one for the whole session; use topics of your own
make_redis_server      a function that starts more of them: ``make_redis_server(appendfsync="always")``

A test is skipped, with the package to install as the reason, where the server is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from headrace.errors import NotFound
from headrace.servers import RedisServer


def _started(**settings: Any) -> RedisServer:
    server = RedisServer(**settings)
    try:
        server.start()
    except NotFound as missing:
        pytest.skip(str(missing))
    return server


@pytest.fixture
def make_redis_server() -> Iterator[Callable[..., RedisServer]]:
    """Starts private Redis servers with the given settings; all are stopped after the test."""
    with ExitStack() as stack:

        def make(**settings: Any) -> RedisServer:
            server = _started(**settings)
            stack.callback(server.stop)
            return server

        yield make


@pytest.fixture
def redis_server(make_redis_server: Callable[..., RedisServer]) -> RedisServer:
    """A fresh private Redis with an append-only file, for one test."""
    return make_redis_server()


@pytest.fixture(scope="session")
def shared_redis_server() -> Iterator[RedisServer]:
    """One private Redis for the whole session."""
    server = _started()
    yield server
    server.stop()
