"""The server under test: native routes, in this process, on a free port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import headrace
from tests.conformance.tools import SCORES

ROUTES = {
    ("GET", "/hello"): "hello",
    ("POST", "/echo"): "echo",
    ("POST", "/json"): "json",
    ("POST", "/count"): "count",
    ("GET", "/later/{ms}"): "later",
    ("GET", "/stream/{bytes}"): "stream",
    ("GET", "/ws"): "websocket",
    ("GET", "/metrics"): "metrics",
}


def make(**settings: Any) -> headrace.http.Server:
    server = headrace.http.Server(**settings)
    for (method, pattern), native in ROUTES.items():
        server.route(method, pattern, native=native)
    return server


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    """Where the server with default settings listens."""
    server = make()
    with server.running():
        yield server.port


@pytest.fixture
def serve() -> Iterator[Callable[..., headrace.http.Server]]:
    """Starts servers with other settings; all are stopped after the test."""
    with ExitStack() as stack:

        def start(**settings: Any) -> headrace.http.Server:
            server = make(**settings)
            stack.enter_context(server.running(grace_s=0.0))
            return server

        yield start


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The scores of the suites that were run."""
    if SCORES:
        terminalreporter.section("scores")
        for line in SCORES:
            terminalreporter.line(line)
