"""A native Redis client for threads.

>>> client = headrace.redis.Client("redis://localhost:6379")
>>> client.execute("SET", "greeting", "hello")
'OK'
>>> client.execute("GET", "greeting")
b'hello'

One connection serves any number of threads: the commands that wait at the same moment leave in one write. A lost
connection is made again, with AUTH, SELECT and CLIENT SETNAME; a command that had been sent and not answered raises
MaybeExecuted, because only the caller knows whether it may run twice.

Replies: status -> str, bulk string -> bytes, integer -> int, nil -> None, array -> list, error -> ServerError (raised;
inside an array or a pipeline with ``raise_on_error=False`` it is a value).
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from headrace import _core
from headrace.errors import ServerError

__all__ = ["Client", "Pipeline"]

# Commands that block in the server: where their time limit stands, in seconds (s) or milliseconds (ms).
_BLOCKING_LAST_SECONDS = {"BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BZPOPMIN", "BZPOPMAX"}
_BLOCKING_FIRST_SECONDS = {"BLMPOP", "BZMPOP"}
_BLOCKING_LAST_MS = {"WAIT", "WAITAOF"}


class Client:
    """One connection to one Redis server, for any number of threads.

    Args:
        url: ``redis://[user:password@]host[:6379][/db]``, ``rediss://...`` (TLS), ``unix:///path/to.sock[?db=n]``.
            Query options: ``db``, ``client_name``, ``verify=0``, ``cafile``, ``certfile``, ``keyfile``.
        timeout: seconds that a command may take, unless `execute` is told otherwise. A blocking command (BLPOP,
            XREAD BLOCK, ...) gets the time it asks the server for on top; give blocking commands a client of their own.
        connect_timeout: seconds of one attempt to connect.
        give_up_after: seconds without a connection after which the client stops trying; 0 tries for ever.
        max_queue_size: commands that may wait for replies; more raise QueueFull.

    Raises InvalidArgument for a bad url. Connecting happens in the background; the first command waits for it.
    """

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379",
        *,
        timeout: float = 5.0,
        connect_timeout: float = 5.0,
        give_up_after: float = 0.0,
        max_queue_size: int = 1_000_000,
    ) -> None:
        self._timeout = timeout
        self._native = _core.redis.Client(
            url, connect_timeout=connect_timeout, give_up_after=give_up_after, max_queue_size=max_queue_size
        )

    def execute(self, *args: bytes | str | float, timeout: float | None = None) -> Any:
        """Run one command and return its reply.

        Raises ServerError (the server refused it), DeadlineExceeded (never sent), MaybeExecuted (sent, not answered),
        ConnectionFailed, AuthenticationFailed, Closed, Forked, TypeError (an argument that Redis cannot take).
        """
        reply = self._native.run([args], self._limit(args, timeout))[0]
        if isinstance(reply, ServerError):
            raise ServerError(f"{self._native.address}: {_name(args)}: {reply}")
        return reply

    def pipeline(self) -> Pipeline:
        """A list of commands that travel together and are answered together."""
        return Pipeline(self)

    def stats(self) -> dict[str, int]:
        """Writes, reads, bytes and reconnects so far."""
        return self._native.stats()

    @property
    def connected(self) -> bool:
        """Whether there is a connection at this moment."""
        return self._native.connected

    @property
    def closed(self) -> bool:
        """Whether the client takes no more commands."""
        return self._native.closed

    def close(self) -> None:
        """Fail what is pending and disconnect. May be called again."""
        self._native.close()

    def _limit(self, args: tuple[bytes | str | float, ...], timeout: float | None) -> float:
        return timeout if timeout is not None else self._timeout + _block_seconds(args)

    def _run(self, commands: list[tuple[bytes | str | float, ...]], timeout: float | None) -> list[Any]:
        longest = self._timeout + sum(_block_seconds(args) for args in commands)
        return self._native.run(commands, timeout if timeout is not None else longest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "connected" if self.connected else "not connected"
        return f"<headrace.redis.Client {self._native.address} {state}>"


class Pipeline:
    """Commands gathered by `execute` and sent together by `run`; a context manager that runs at its end.

    >>> with client.pipeline() as pipe:
    ...     pipe.execute("INCR", "a")
    ...     pipe.execute("INCR", "b")
    >>> pipe.replies
    [1, 1]
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._commands: list[tuple[bytes | str | float, ...]] = []
        self.replies: list[Any] = []

    def execute(self, *args: bytes | str | float) -> Self:
        """Add one command."""
        self._commands.append(args)
        return self

    def run(self, *, timeout: float | None = None, raise_on_error: bool = True) -> list[Any]:
        """Send what was gathered, in one write, and return one reply each.

        With ``raise_on_error`` the first error reply is raised after all have been read; otherwise error replies are
        ServerError values in the list. Other errors as `Client.execute`.
        """
        commands, self._commands = self._commands, []
        self.replies = self._client._run(commands, timeout) if commands else []
        if raise_on_error:
            for args, reply in zip(commands, self.replies, strict=True):
                if isinstance(reply, ServerError):
                    raise ServerError(f"{self._client._native.address}: {_name(args)}: {reply}")
        return self.replies

    def __len__(self) -> int:
        return len(self._commands)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.run()

    def __repr__(self) -> str:
        return f"<headrace.redis.Pipeline of {len(self)} commands>"


def _name(args: tuple[bytes | str | float, ...]) -> str:
    first = args[0]
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def _block_seconds(args: tuple[bytes | str | float, ...]) -> float:
    """How long the command asks the server to block; 0 there means for ever, which becomes a year."""
    if not args:
        return 0.0
    name = _name(args).upper()
    limit: float | None = None
    try:
        if name in _BLOCKING_LAST_SECONDS:
            limit = float(args[-1])
        elif name in _BLOCKING_FIRST_SECONDS:
            limit = float(args[1])
        elif name in _BLOCKING_LAST_MS:
            limit = float(args[-1]) / 1000
        elif name in {"XREAD", "XREADGROUP"}:
            words = [_name((arg,)).upper() for arg in args]
            if "BLOCK" in words:
                limit = float(args[words.index("BLOCK") + 1]) / 1000
    except (ValueError, IndexError):
        return 0.0  # the server will say what is wrong
    if limit is None:
        return 0.0
    return limit if limit > 0 else 365 * 24 * 3600.0
