"""What every server of one port has, whoever answers: its url, the block in which it runs, what it shows of itself."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from headrace import _core

__all__ = ["Listening", "url_of"]


def url_of(host: str, port: int, settings: Mapping[str, Any]) -> str:
    """Where clients on this machine connect, without a path."""
    scheme = "https" if settings.get("cert_file") else "http"
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{scheme}://{f'[{local}]' if ':' in local else local}:{port}"


class Listening(abc.ABC):
    """A native server with `start` and `stop`; the rest follows."""

    def __init__(self, *, host: str, port: int, threads: int, settings: Mapping[str, Any]) -> None:
        self._host = host
        self._settings = settings
        self._running = False
        self._native = _core.http.Server(threads=threads, settings={"host": host, "port": port, **settings})

    @abc.abstractmethod
    def start(self) -> None:
        """Serve; returns at once."""

    @abc.abstractmethod
    def stop(self, grace_s: float = 10.0) -> None:
        """Accept no more, finish what was asked within ``grace_s`` seconds, close the rest. May be called again."""

    @property
    def port(self) -> int:
        """The bound port; 0 before `start`."""
        return self._native.port

    @property
    def url(self) -> str:
        """Where clients connect, without a path."""
        return url_of(self._host, self.port, self._settings)

    def stats(self) -> dict[str, int]:
        """Connections, requests, answers by class, bytes, writes, timeouts, and what was refused or dropped, so far."""
        return self._native.stats()

    def metrics(self) -> str:
        """The same in the text format of Prometheus."""
        return self._native.metrics()

    @contextlib.contextmanager
    def running(self, grace_s: float = 10.0) -> Iterator[str]:
        """`start`, the url, and `stop` at the end."""
        self.start()
        try:
            yield self.url
        finally:
            self.stop(grace_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        where = self.url if self._running else "not running"
        return f"<{type(self).__module__.removesuffix('.server')}.Server {where}>"
