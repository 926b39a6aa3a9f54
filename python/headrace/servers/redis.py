"""A private ``redis-server``."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from headrace import errors
from headrace.servers.base import PrivateServer
from headrace.servers.certificate import self_signed
from headrace.servers.filesystem import filesystem_of
from headrace.servers.redis_probe import RedisProbe
from headrace.servers.resp import RespClient, RespError

_FSYNC = ("always", "everysec", "no")
_LONGEST_SOCKET_PATH = 107  # unix(7)


class RedisServer(PrivateServer):
    """``redis-server`` with an append-only file, as a queue that keeps its promise needs it.

    appendonly, appendfsync
        What an acknowledgement means: with ``always`` the entry is on disk; with ``everysec`` the last second
        may be lost in a power cut (not in a crash of the server).
    password
        Clients must AUTH; it is part of ``url``.
    unix_socket
        Listen on a socket file in the folder too; ``url`` is then ``unix:///...``.
    tls
        Listen with TLS only, with a certificate made for 127.0.0.1 on the spot; ``url`` is then ``rediss://...?cafile=FILE``.
    extra
        Further lines of redis.conf, ``{"maxmemory": "64mb"}``.

    Start takes about 0.05 s. RDB snapshots are off unless ``extra`` turns them on.
    """

    binary = "redis-server"
    package = "redis-server"

    def __init__(
        self,
        *,
        appendonly: bool = True,
        appendfsync: str = "everysec",
        password: str | None = None,
        unix_socket: bool = False,
        tls: bool = False,
        extra: Mapping[str, str | int | bool] | None = None,
        directory: str | os.PathLike[str] | None = None,
        start_timeout: float = 20.0,
    ) -> None:
        super().__init__(directory=directory, start_timeout=start_timeout)
        if appendfsync not in _FSYNC:
            raise errors.InvalidArgument(f"appendfsync must be one of {', '.join(_FSYNC)}, not {appendfsync!r}")
        if tls and unix_socket:
            raise errors.InvalidArgument("a RedisServer listens on a unix socket or with TLS, not both")
        self._password = password
        self._unix_socket = unix_socket
        self._tls = tls
        self._settings: dict[str, str | int | bool] = {
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": appendonly,
            "appendfsync": appendfsync,
            **(extra or {}),
        }
        _check_settings(self._settings)

    @property
    def url(self) -> str:
        login = f":{quote(self._password, safe='')}@" if self._password else ""
        if self._unix_socket:
            return f"unix://{login}{quote(str(self._socket_path))}"
        if self._tls:
            return f"rediss://{login}{self.host}:{self.port}?cafile={quote(str(self.directory / 'cert.pem'))}"
        return f"redis://{login}{self.host}:{self.port}"

    def config(self) -> dict[str, Any]:
        return {**RedisProbe(self.url).config(), "data_filesystem": filesystem_of(self.directory)}

    def call(self, *words: str | bytes | int | float) -> Any:
        """One command on a connection of its own, for looking at the server in tests; raises ServerError."""
        with RespClient(self.url) as client:
            return client.call(*words)

    @property
    def _socket_path(self) -> Path:
        path = self.directory / "redis.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        return Path(tempfile.gettempdir()) / f"headrace-redis-{os.getpid()}-{self.port}.sock"

    def _argv(self) -> list[str]:
        own = {"dir": str(self.directory), **self._listeners()}
        if self._password:
            own["requirepass"] = self._password
        lines = [f"{key} {_written(value)}" for key, value in self._settings.items()]
        lines += [f"{key} {_quoted(str(value))}" for key, value in own.items()]
        path = self.directory / "redis.conf"
        path.write_text("\n".join(lines) + "\n")
        return [str(path)]

    def _listeners(self) -> dict[str, str | int | bool]:
        if self._unix_socket:
            return {"port": self.port, "unixsocket": str(self._socket_path), "unixsocketperm": "700"}
        if not self._tls:
            return {"port": self.port}
        cert, key = self_signed(self.directory, host=self.host)
        return {
            "port": 0,
            "tls-port": self.port,
            "tls-cert-file": str(cert),
            "tls-key-file": str(key),
            "tls-ca-cert-file": str(cert),
            "tls-auth-clients": "no",
        }

    def _greet(self) -> bool:
        try:
            with RespClient(self.url, timeout=1.0) as client:
                return bool(client.call("PING") == b"PONG")
        except RespError as error:
            if str(error).startswith("LOADING"):
                return False  # it reads its append-only file
            raise


def _check_settings(settings: Mapping[str, str | int | bool]) -> None:
    for key, value in settings.items():
        if not re.fullmatch(r"[a-z][a-z0-9-]*", key):
            raise errors.InvalidArgument(f"not the name of a Redis setting: {key!r}")
        if "\n" in str(value) or "\r" in str(value):
            raise errors.InvalidArgument(f"the value of the Redis setting {key!r} holds a line break")


def _written(value: str | int | bool) -> str:
    """A setting as redis.conf has it; several plain words are several arguments, as in ``save 60 1000``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    words = str(value)
    return words if re.fullmatch(r"[\w.:/-]+( [\w.:/-]+)*", words) else _quoted(words)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
