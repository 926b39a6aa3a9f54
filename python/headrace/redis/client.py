"""`Client` and `Pipeline` for threads, and what they share with `headrace.redis.aio`."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from headrace import _core
from headrace.errors import ServerError
from headrace.redis.subscription import OnFull, Subscription

Argument = bytes | str | float
Command = tuple[Argument, ...]

# Commands that block in the server: where their time limit stands, in seconds (s) or milliseconds (ms).
_BLOCKING_LAST_SECONDS = {"BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BZPOPMIN", "BZPOPMAX"}
_BLOCKING_FIRST_SECONDS = {"BLMPOP", "BZMPOP"}
_BLOCKING_LAST_MS = {"WAIT", "WAITAOF"}
_BLOCKING = _BLOCKING_LAST_SECONDS | _BLOCKING_FIRST_SECONDS | _BLOCKING_LAST_MS | {"XREAD", "XREADGROUP"}


class BaseClient:
    """The options and the native client that threads and coroutines have in common."""

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379",
        *,
        timeout: float = 5.0,
        connect_timeout: float = 5.0,
        give_up_after: float = 0.0,
        max_queue_size: int = 1_000_000,
    ) -> None:
        self._url = url
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._give_up_after = give_up_after
        self._native = _core.redis.Client(
            url, connect_timeout=connect_timeout, give_up_after=give_up_after, max_queue_size=max_queue_size
        )

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

    def _limit(self, args: Command, timeout: float | None) -> float:
        return timeout if timeout is not None else self._timeout + block_seconds(args)

    def _limit_all(self, commands: list[Command], timeout: float | None) -> float:
        return timeout if timeout is not None else self._timeout + sum(map(block_seconds, commands))

    def _subscriber(self, max_queue_size: int, on_full: OnFull) -> _core.redis.Subscriber:
        return _core.redis.Subscriber(
            self._url,
            connect_timeout=self._connect_timeout,
            give_up_after=self._give_up_after,
            max_queue_size=max_queue_size,
            drop_oldest=on_full == "drop_oldest",
        )

    def __repr__(self) -> str:
        state = "closed" if self.closed else "connected" if self.connected else "not connected"
        return f"<{type(self).__module__}.{type(self).__name__} {self._native.address} {state}>"


class Client(BaseClient):
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

    def execute(self, *args: Argument, timeout: float | None = None) -> Any:
        """Run one command and return its reply.

        Raises ServerError (the server refused it), DeadlineExceeded (never sent), MaybeExecuted (sent, not answered),
        ConnectionFailed, AuthenticationFailed, Closed, Forked, TypeError (an argument that Redis cannot take).
        """
        reply = self._native.run([args], self._limit(args, timeout))[0]
        if isinstance(reply, ServerError):
            raise ServerError(f"{self._native.address}: {name_of(args)}: {reply}")
        return reply

    def pipeline(self) -> Pipeline:
        """A list of commands that travel together and are answered together."""
        return Pipeline(self)

    def subscribe(
        self,
        *channels: str,
        patterns: Iterable[str] = (),
        timeout: float | None = None,
        max_queue_size: int = 10_000,
        on_full: OnFull = "drop_oldest",
    ) -> Subscription:
        """Receive what is published to these channels, and to those that match a pattern, on a connection of its own.

        >>> with client.subscribe("news", patterns=["news.*"]) as subscription:
        ...     for message in subscription:
        ...         print(message.channel, message.payload)

        Args:
            channels, patterns: names, and globs as PSUBSCRIBE takes them; more can follow.
            timeout: iteration ends after this many seconds without a message; None never ends.
            max_queue_size: messages that may wait to be received.
            on_full: "drop_oldest" (counted in `stats`), or "reject": the subscription ends with QueueFull.

        Raises DeadlineExceeded when the server has not confirmed within the client's timeout, ServerError,
        AuthenticationFailed.
        """
        subscription = Subscription(self._subscriber(max_queue_size, on_full), timeout, self._timeout)
        try:
            subscription.subscribe(*channels)
            subscription.psubscribe(*patterns)
        except BaseException:
            subscription.close()
            raise
        return subscription

    def close(self) -> None:
        """Fail what is pending and disconnect. May be called again."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
        self._commands: list[Command] = []
        self.replies: list[Any] = []

    def execute(self, *args: Argument) -> Self:
        """Add one command."""
        self._commands.append(args)
        return self

    def run(self, *, timeout: float | None = None, raise_on_error: bool = True) -> list[Any]:
        """Send what was gathered, in one write, and return one reply each.

        With ``raise_on_error`` the first error reply is raised after all have been read; otherwise error replies are
        ServerError values in the list. Other errors as `Client.execute`.
        """
        commands, self._commands = self._commands, []
        native = self._client._native
        self.replies = native.run(commands, self._client._limit_all(commands, timeout)) if commands else []
        if raise_on_error:
            raise_first_error(native.address, commands, self.replies)
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


def name_of(args: Command) -> str:
    """The command's name, for messages."""
    first = args[0]
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def raise_first_error(address: str, commands: list[Command], replies: list[Any]) -> None:
    """Raise the first error among the replies, saying which command it answers."""
    for args, reply in zip(commands, replies, strict=True):
        if isinstance(reply, ServerError):
            raise ServerError(f"{address}: {name_of(args)}: {reply}")


def block_seconds(args: Command) -> float:
    """How long the command asks the server to block; 0 there means for ever, which becomes a year."""
    if not args:
        return 0.0
    name = name_of(args).upper()
    if name not in _BLOCKING:
        return 0.0
    limit: float | None = None
    try:
        if name in _BLOCKING_LAST_SECONDS:
            limit = float(args[-1])
        elif name in _BLOCKING_FIRST_SECONDS:
            limit = float(args[1])
        elif name in _BLOCKING_LAST_MS:
            limit = float(args[-1]) / 1000
        else:
            words = [name_of((arg,)).upper() for arg in args]
            if "BLOCK" in words:
                limit = float(args[words.index("BLOCK") + 1]) / 1000
    except (ValueError, IndexError):
        return 0.0  # the server will say what is wrong
    if limit is None:
        return 0.0
    return limit if limit > 0 else 365 * 24 * 3600.0
