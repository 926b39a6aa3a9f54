"""`Consumer`: receive messages from any broker, at least once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from headrace import _core
from headrace.errors import DeadlineExceeded
from headrace.mq._base import Client, Message, Messages, check_counts

__all__ = ["Batch", "Consumer", "Message"]


class Batch(Messages):
    """Messages that were received together: a sequence of `Message`, and `ack` for all of them."""

    _name = "headrace.mq.Batch"

    def __init__(self, consumer: Consumer, messages: list[Message]) -> None:
        super().__init__(messages)
        self._consumer = consumer

    def ack(self) -> None:
        """Acknowledge every message of the batch."""
        self._consumer.ack(self._messages)


class Consumer(Client):
    """Receives from one topic as a member of a group; the url's scheme chooses the broker.

    >>> with headrace.mq.Consumer("redis://localhost:6379", topic="orders", timeout=1) as consumer:
    ...     for batch in consumer:
    ...         for message in batch:
    ...             print(message.id, message.payload)
    ...         batch.ack()

    A message stays this consumer's until it is acknowledged. What a consumer leaves unacknowledged goes to another
    member of the group after ``claim_idle`` seconds, marked ``redelivered``.

    Args:
        url: broker address (``redis://``, ``rediss://``, ``unix://``, ``inproc://``).
        topic: topic, queue or stream.
        group: the members of a group share the messages; every group gets all of them.
        name: this consumer within the group; unique when empty. A stable name resumes its own unacknowledged messages.
        batch: messages per broker request; 0 turns batching off.
        prefetch: unacknowledged messages allowed; reception pauses above it.
        claim_idle: seconds after which the unacknowledged messages of others are taken over.
        timeout: iteration ends after this many seconds without a message; None never ends.
        broker_timeout: seconds to connect, and to wait for a lost broker before giving up.

    Raises InvalidArgument, ConnectionFailed, AuthenticationFailed.
    """

    _native: _core.mq.Consumer

    def __init__(
        self,
        url: str,
        *,
        topic: str,
        group: str = "headrace",
        name: str = "",
        batch: int = 100,
        prefetch: int = 1000,
        claim_idle: float = 30.0,
        timeout: float | None = None,
        broker_timeout: float = 30.0,
    ) -> None:
        check_counts(batch=batch, prefetch=prefetch)
        self._timeout = timeout
        self.topic, self.group = topic, group
        self._most = max(batch, 1)
        self._native = _core.mq.Consumer(
            url=url,
            topic=topic,
            group=group,
            name=name,
            batch=batch,
            prefetch=prefetch,
            claim_idle=claim_idle,
            give_up_after=broker_timeout,
        )
        self._connect(url, broker_timeout)

    def receive(self, timeout: float | None = None) -> Batch:
        """What has arrived, at most ``batch`` messages; waits while there is nothing.

        Empty after ``timeout`` seconds without a message (None: the consumer's own, or for ever). Raises the failure
        that ended the consumer, once everything received before was taken.
        """
        limit = timeout if timeout is not None else self._timeout
        return Batch(self, self._native.receive(math.inf if limit is None else limit, self._most))

    def __iter__(self) -> Iterator[Batch]:
        while batch := self.receive():
            yield batch

    def ack(self, messages: Message | Iterable[Message]) -> None:
        """Acknowledge one message or several. Returns at once; `flush` waits for the broker."""
        several = [messages] if isinstance(messages, Message) else messages
        self._native.ack([message.tag for message in several])

    def ack_through(self, message: Message) -> None:
        """Acknowledge this message and every one received before it."""
        self._native.ack_through(message.tag)

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until the broker has confirmed every acknowledgement.

        Raises DeadlineExceeded after ``timeout`` seconds, or the failure that ended the consumer.
        """
        if not self._native.flush(timeout):
            raise DeadlineExceeded(f"acknowledgements of {self.topic} are not confirmed after {timeout:g} s")

    def stats(self) -> dict[str, int]:
        """Messages received, acked, redelivered, unacked, waiting; requests, writes, reads, bytes, reconnects."""
        return self._native.stats()

    def __repr__(self) -> str:
        stats = self._native.stats()
        state = "closed" if self._native.closed else f"{stats['unacked']} unacknowledged"
        return f"<headrace.mq.Consumer {self.topic!r} in {self.group!r}: {stats['received']} received, {state}>"
