"""Looking at a Redis server from the side: settings, usage, what a consumer group has still to do."""

from __future__ import annotations

from typing import Any

from headrace.servers.resp import RespClient, RespError
from headrace.servers.usage import Usage

# What changes the meaning or the cost of an acknowledgement.
_SETTINGS = (
    "appendonly",
    "appendfsync",
    "no-appendfsync-on-rewrite",
    "auto-aof-rewrite-percentage",
    "auto-aof-rewrite-min-size",
    "save",
    "maxmemory",
    "maxmemory-policy",
    "io-threads",
    "stream-node-max-bytes",
    "stream-node-max-entries",
)


class RedisProbe:
    """Questions to the server at ``url``, each on its own connection, answered within ``timeout`` seconds.

    Errors: OSError when it cannot be reached in time, ServerError when it refuses.
    """

    def __init__(self, url: str, *, timeout: float = 2.0) -> None:
        self._url = url
        self._timeout = timeout

    def config(self) -> dict[str, Any]:
        """``server``, ``version`` and the settings that matter for a measurement.

        Settings are absent where the server does not let us ask (managed servers, restricted users).
        """
        with RespClient(self._url, timeout=self._timeout) as client:
            info = _info(client.call("INFO", "server"))
            found: dict[str, Any] = {"server": "redis", "version": info.get("redis_version", "unknown")}
            for name in _SETTINGS:
                try:
                    reply = client.call("CONFIG", "GET", name)
                except RespError:
                    break
                found.update(zip(_texts(reply[::2]), _texts(reply[1::2]), strict=True))
            return found

    def usage(self) -> Usage:
        """CPU seconds and resident bytes of the server, from INFO."""
        with RespClient(self._url, timeout=self._timeout) as client:
            info = _info(client.call("INFO", "cpu")) | _info(client.call("INFO", "memory"))
        cpu = float(info.get("used_cpu_user", 0)) + float(info.get("used_cpu_sys", 0))
        return Usage(cpu, int(info.get("used_memory_rss", 0)))

    def backlog(self, topic: str, group: str) -> int | None:
        """Entries of stream ``topic`` that ``group`` has not read, and those read but not acknowledged.

        None when the server cannot say: no such stream or group, or entries were deleted out of order
        and it has lost count (Redis documentation of XINFO GROUPS, "lag").
        """
        with RespClient(self._url, timeout=self._timeout) as client:
            try:
                groups = client.call("XINFO", "GROUPS", topic)
            except RespError:
                return None
        for fields in groups:
            row = dict(zip(_texts(fields[::2]), fields[1::2], strict=True))
            if row["name"] == group.encode():
                lag = row.get("lag")
                return None if lag is None else int(row["pending"]) + int(lag)
        return None

    def delete(self, topic: str) -> None:
        """Removes the stream with its groups."""
        with RespClient(self._url, timeout=self._timeout) as client:
            client.call("UNLINK", topic)


def _info(reply: bytes) -> dict[str, str]:
    lines = reply.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _texts(values: list[bytes]) -> list[str]:
    return [v.decode(errors="replace") for v in values]
