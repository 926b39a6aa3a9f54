"""The native Redis client for asyncio: the same client, awaited.

>>> async with headrace.redis.aio.Client("redis://localhost:6379") as client:
...     await client.execute("SET", "greeting", "hello")
...     values = await asyncio.gather(*(client.execute("GET", f"user:{i}") for i in range(1000)))

The commands of one tick of the event loop leave in one write, and the replies of one read come back together. One
client serves any number of coroutines, tasks and event loops in any threads. Cancelling a task gives the reply up, not
the command: it may have run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from headrace._core import Future
from headrace._waiting import Condition
from headrace.redis.client import Argument, BaseClient, Command, raise_first_error
from headrace.redis.subscription import BaseSubscription, Message, OnFull, check_names

__all__ = ["Client", "Message", "Pipeline", "Subscription"]


class Client(BaseClient):
    """One connection to one Redis server, for any number of coroutines.

    Arguments and errors are those of `headrace.redis.Client`. Connecting happens in the background; the first command
    waits for it.
    """

    def execute(self, *args: Argument, timeout: float | None = None) -> Future[Any]:
        """Start one command; awaiting gives its reply.

        It is sent at the end of this tick of the event loop, whether it is awaited or not. Awaiting raises ServerError
        (the server refused it), DeadlineExceeded (never sent), MaybeExecuted (sent, not answered), ConnectionFailed,
        AuthenticationFailed, QueueFull, Closed, Forked; an argument that Redis cannot take raises TypeError at once.
        """
        return self._native.start(args, self._limit(args, timeout))

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

        >>> async with client.subscribe("news", patterns=["news.*"]) as subscription:
        ...     async for message in subscription:
        ...         print(message.channel, message.payload)

        Arguments as `headrace.redis.Client.subscribe`. Entering waits until the server has confirmed.
        """
        subscription = Subscription(self._subscriber(max_queue_size, on_full), timeout, self._timeout)
        subscription._start(channels, tuple(patterns))
        return subscription

    async def close(self) -> None:
        """Fail what is pending and disconnect. May be called again."""
        self._native.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Pipeline:
    """Commands gathered by `execute` and sent together by `run`; a context manager that runs at its end.

    >>> async with client.pipeline() as pipe:
    ...     pipe.execute("INCR", "a").execute("INCR", "b")
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

    async def run(self, *, timeout: float | None = None, raise_on_error: bool = True) -> list[Any]:
        """Send what was gathered, in one write, and return one reply each; see `headrace.redis.Pipeline.run`."""
        commands, self._commands = self._commands, []
        native = self._client._native
        self.replies = await native.start_many(commands, self._client._limit_all(commands, timeout)) if commands else []
        if raise_on_error:
            raise_first_error(native.address, commands, self.replies)
        return self.replies

    def __len__(self) -> int:
        return len(self._commands)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.run()

    def __repr__(self) -> str:
        return f"<headrace.redis.aio.Pipeline of {len(self)} commands>"


class Subscription(BaseSubscription):
    """What `Client.subscribe` returns: an asynchronous iterator of `Message`, with a connection of its own.

    Delivery is Redis's, at most once: what is published while the connection is lost is lost too; the connection is
    made again and subscribes anew. Use it in one event loop.
    """

    def _start(self, channels: tuple[str, ...], patterns: tuple[str, ...]) -> None:
        check_names(channels + patterns)
        self._native.subscribe(False, list(channels))
        self._native.subscribe(True, list(patterns))
        self._confirmed = Condition(self._native.when_subscribed)
        self._received = Condition(self._native.when_received)

    async def subscribe(self, *channels: str) -> None:
        """Add channels, and wait until the server has confirmed them."""
        check_names(channels)
        self._native.subscribe(False, list(channels))
        await self._confirm()

    async def psubscribe(self, *patterns: str) -> None:
        """Add patterns, and wait until the server has confirmed them."""
        check_names(patterns)
        self._native.subscribe(True, list(patterns))
        await self._confirm()

    async def unsubscribe(self, *channels: str) -> None:
        """Remove channels; all of them without an argument."""
        self._native.unsubscribe(False, list(channels))
        await self._confirm()

    async def punsubscribe(self, *patterns: str) -> None:
        """Remove patterns; all of them without an argument."""
        self._native.unsubscribe(True, list(patterns))
        await self._confirm()

    async def receive(self, timeout: float | None = None) -> Message | None:
        """The next message; None after ``timeout`` seconds without one (None: the subscription's own, or for ever).

        Raises the failure that ended the subscription once everything received before was taken.
        """
        limit = timeout if timeout is not None else self._timeout
        deadline = None if limit is None else asyncio.get_running_loop().time() + limit
        while not self._take(0):
            if not await self._received.wait_until(deadline):
                return None
        return self._taken.pop()

    async def close(self) -> None:
        """Disconnect. May be called again."""
        self._native.close()

    async def _confirm(self) -> None:
        if not await self._confirmed.wait(self._confirm_timeout):
            raise self._not_confirmed()
        if not self._native.wait_subscribed(0):  # raises what ended the subscription
            raise self._not_confirmed()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        message = await self.receive()
        if message is None:
            raise StopAsyncIteration
        return message

    async def __aenter__(self) -> Self:
        try:
            await self._confirm()
        except BaseException:
            self._native.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
