"""`Subscription`: messages of PUBLISH, for threads, and what it shares with `headrace.redis.aio`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import TracebackType
from typing import Literal, NamedTuple, Self

from headrace import _core
from headrace.errors import DeadlineExceeded, InvalidArgument

OnFull = Literal["drop_oldest", "reject"]
MOST_AT_ONCE = 1000


class Message(NamedTuple):
    """One published message.

    Attributes:
        channel: where it was published.
        payload: bytes.
        pattern: the pattern that matched the channel, or None for a subscription to the channel itself.
    """

    channel: str
    payload: bytes
    pattern: str | None


class BaseSubscription:
    """The native subscriber, and the messages that were taken from it and not handed out yet."""

    def __init__(self, native: _core.redis.Subscriber, timeout: float | None, confirm_timeout: float) -> None:
        self._native = native
        self._timeout = timeout
        self._confirm_timeout = confirm_timeout
        self._taken: list[Message] = []  # newest first

    def _take(self, timeout: float) -> bool:
        """Whether there is a message to hand out; waits natively for `timeout` seconds."""
        if not self._taken:
            self._taken = [Message(*each) for each in reversed(self._native.receive(timeout, MOST_AT_ONCE))]
        return bool(self._taken)

    def _not_confirmed(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"{self._native.address}: the subscription was not confirmed within {self._confirm_timeout:g} s"
        )

    def stats(self) -> dict[str, int]:
        """Messages received, dropped, waiting; reconnects (what was published meanwhile is lost), bytes_in."""
        return self._native.stats()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._native.closed

    def __repr__(self) -> str:
        stats = self.stats()
        state = "closed" if self.closed else f"{stats['waiting']} waiting"
        return (
            f"<{type(self).__module__}.{type(self).__name__} {self._native.address}: "
            f"{stats['received']} received, {stats['dropped']} dropped, {state}>"
        )


class Subscription(BaseSubscription):
    """What `Client.subscribe` returns: an iterator of `Message`, with a connection of its own.

    Delivery is Redis's, at most once: what is published while the connection is lost is lost too; the connection is
    made again and subscribes anew. Use it in one thread.
    """

    def subscribe(self, *channels: str) -> None:
        """Add channels, and wait until the server has confirmed them."""
        self._change(False, channels)

    def psubscribe(self, *patterns: str) -> None:
        """Add patterns, and wait until the server has confirmed them."""
        self._change(True, patterns)

    def unsubscribe(self, *channels: str) -> None:
        """Remove channels; all of them without an argument."""
        self._native.unsubscribe(False, list(channels))
        self._confirm()

    def punsubscribe(self, *patterns: str) -> None:
        """Remove patterns; all of them without an argument."""
        self._native.unsubscribe(True, list(patterns))
        self._confirm()

    def receive(self, timeout: float | None = None) -> Message | None:
        """The next message; None after ``timeout`` seconds without one (None: the subscription's own, or for ever).

        Raises the failure that ended the subscription once everything received before was taken.
        """
        limit = timeout if timeout is not None else self._timeout
        return self._taken.pop() if self._take(math.inf if limit is None else limit) else None

    def close(self) -> None:
        """Disconnect. May be called again."""
        self._native.close()

    def _change(self, pattern: bool, names: tuple[str, ...]) -> None:
        check_names(names)
        self._native.subscribe(pattern, list(names))
        self._confirm()

    def _confirm(self) -> None:
        if not self._native.wait_subscribed(self._confirm_timeout):
            raise self._not_confirmed()

    def __iter__(self) -> Iterator[Message]:
        while (message := self.receive()) is not None:
            yield message

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_names(names: tuple[str, ...]) -> None:
    """Refuse an empty name: Redis would take it, and nobody means it."""
    if not all(names):
        raise InvalidArgument("a channel or pattern must not be empty")
