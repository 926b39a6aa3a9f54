"""The broker of one case: a private server started for it, or the one that the spec's URL names."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError
from headrace.experiment.mq_case import MqCase
from headrace.servers import RedisProbe, RedisServer
from headrace.servers.usage import Usage

_REDIS = ("redis:", "rediss:", "unix:")
_OWN_SETTINGS = ("appendonly", "appendfsync", "password", "unix_socket", "tls")


class Broker:
    """What the runner asks a broker. Questions that it cannot answer, or not now, give None or nothing."""

    def __init__(self, url: str, server: RedisServer | None = None) -> None:
        self.url = url
        self._server = server
        self._probe = RedisProbe(url, timeout=0.5) if url.startswith(_REDIS) else None

    def config(self) -> dict[str, Any]:
        """Version and settings, for run.json."""
        with contextlib.suppress(OSError, HeadraceError):
            if self._probe:
                asked = self._server or self._probe
                return {**asked.config(), "url": self.url, "private": self._server is not None}
        return {"url": self.url}

    def usage(self) -> Usage | None:
        """CPU and memory of the server."""
        if self._server:
            return self._server.usage()
        with contextlib.suppress(OSError, HeadraceError):
            return self._probe.usage() if self._probe else None
        return None

    def backlog(self, topic: str, group: str) -> int | None:
        """Messages that the group has not acknowledged yet."""
        with contextlib.suppress(OSError, HeadraceError):
            return self._probe.backlog(topic, group) if self._probe else None
        return None

    def delete(self, topic: str) -> None:
        """Removes the case's topic from a server that stays."""
        with contextlib.suppress(OSError, HeadraceError):
            if self._probe and not self._server:
                self._probe.delete(topic)


@contextlib.contextmanager
def broker_for(case: MqCase, folder: Path) -> Iterator[Broker]:
    """The case's broker; a private one lives as long as the block.

    A private server keeps its data inside ``folder``: on the disk that the user chose for results, and not in
    /tmp, which may be memory. Raises NotFound when it is not installed.
    """
    if case.url:
        yield Broker(case.url)
        return
    own = {key: case.redis[key] for key in _OWN_SETTINGS if key in case.redis}
    extra = {key: value for key, value in case.redis.items() if key not in own}
    with (
        tempfile.TemporaryDirectory(prefix=".server-", dir=folder, ignore_cleanup_errors=True) as data,
        RedisServer(**own, extra=extra, directory=data) as server,
    ):
        yield Broker(server.url, server)
