"""Serving until a signal, in this process or in several; serving for the length of a test."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from headrace.asgi.server import Server
from headrace.asgi.types import Application
from headrace.errors import InvalidArgument

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def running(target: str | Application, *, grace_s: float = 10.0, **options: Any) -> Iterator[str]:
    """Serves in this process while the block runs and gives the url; ``options`` as of `Server`. For tests."""
    with Server(target, **options).running(grace_s) as url:
        yield url


def serve(
    target: str | Application,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    grace_s: float = 10.0,
    on_ready: Callable[[str], object] | None = None,
    **options: Any,
) -> None:
    """Serves until SIGINT or SIGTERM, then answers what was accepted and returns. From the main thread.

    Args:
        workers: processes that share the port, each with an event loop, a lifespan and an interpreter of its own; more
            than one needs ``target`` as ``"module:attribute"``.
        grace_s: at the end, for what is under way.
        on_ready: called with the url when it is served.
        options: as of `Server`.

    Raises LifespanFailed when the application does not start, ConnectionFailed when the port is taken, WorkerLost when
    workers end again and again.
    """
    if workers < 1:
        raise InvalidArgument("workers must be at least 1")
    if workers > 1:
        from headrace.asgi.workers import supervise

        if not isinstance(target, str):
            raise InvalidArgument("several workers import the application: give it as 'module:attribute'")
        supervise(target, host, port, workers, grace_s, on_ready, options)
        return
    server = Server(target, host=host, port=port, **options)
    with stop_signals() as stopped:
        server.start()
        try:
            if on_ready is not None:
                on_ready(server.url)
            stopped.wait()
        finally:
            server.stop(grace_s)


@contextlib.contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second one does what it did before."""
    stopped = threading.Event()
    before: dict[int, Any] = {}

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before[number])
        stopped.set()

    for number in STOP_SIGNALS:
        before[number] = signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, before[number])
