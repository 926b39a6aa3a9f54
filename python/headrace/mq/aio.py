"""Producers and consumers for asyncio: the same native engines, awaited.

>>> async with headrace.mq.aio.Producer("redis://localhost:6379", topic="orders") as producer:
...     await producer.send(b"first order")
...     await producer.flush()
>>> async with headrace.mq.aio.Consumer("redis://localhost:6379", topic="orders", group="billing") as consumer:
...     async for batch in consumer:
...         await batch.ack()

An object belongs to the event loop in which it is used first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Literal, Self

from headrace import _core
from headrace._core import Future
from headrace._waiting import Condition
from headrace.errors import DeadlineExceeded, QueueFull
from headrace.mq._base import AsyncClient, Message, Messages, check_counts, waits_when_full
from headrace.mq.producer import Ack

__all__ = ["Ack", "Batch", "Consumer", "Message", "Producer"]


class Producer(AsyncClient):
    """Sends to one topic; the url's scheme chooses the broker. See `headrace.mq.Producer` for what it promises.

    Entering the context manager connects; without it, sending connects in the background.

    Args:
        url: broker address (``redis://``, ``rediss://``, ``unix://``, ``inproc://``).
        topic: topic, queue or stream.
        window: unacknowledged messages allowed; `send` waits (or refuses) above it.
        batch: messages per broker request, of those that wait together; 0 turns batching off.
        on_full: "wait" until the window has room, or "reject" with QueueFull.
        instance: first part of generated ids; random when empty.
        timeout: seconds to connect, and to wait for a lost broker before giving up.

    Raises InvalidArgument.
    """

    _native: _core.mq.Producer

    def __init__(
        self,
        url: str,
        *,
        topic: str,
        window: int = 1000,
        batch: int = 0,
        on_full: Literal["wait", "reject"] = "wait",
        instance: str = "",
        timeout: float = 30.0,
    ) -> None:
        check_counts(window=window, batch=batch)
        self._url, self.topic = url, topic
        self._wait = waits_when_full(on_full)
        self._connect_timeout = timeout
        self._native = _core.mq.Producer(
            url=url,
            topic=topic,
            window=window,
            batch=batch,
            instance=instance,
            collect_acks=False,
            give_up_after=timeout,
        )
        self._opened = Condition(self._native.when_open)
        self._room = Condition(self._native.when_room)
        self._settled = Condition(self._native.when_settled)

    async def send(self, payload: bytes | str, *, id: str | None = None, timeout: float = 30.0) -> str:
        """Queue one message and return its id; a unique one is made when ``id`` is None.

        Returns without waiting while the window has room. Raises QueueFull when it has none within ``timeout`` seconds
        (at once with ``on_full="reject"``), or the failure that ended the producer.
        """
        queued = self._native.try_send(payload, id)
        if queued is None:
            deadline = self._deadline(timeout)
            while (queued := self._native.try_send(payload, id)) is None:
                await self._wait_room(deadline)
        return queued

    async def send_acked(
        self, payload: bytes | str, *, id: str | None = None, timeout: float = 30.0
    ) -> tuple[str, Future[Ack]]:
        """`send`, and a future of the broker's answer to this message.

        Awaiting the future gives its `Ack`, or raises ServerError when the broker refused it, or the failure that ended
        the producer. Dropping or cancelling the future changes nothing for the message.
        """
        queued = self._native.try_send_acked(payload, id)
        if queued is None:
            deadline = self._deadline(timeout)
            while (queued := self._native.try_send_acked(payload, id)) is None:
                await self._wait_room(deadline)
        return queued

    async def flush(self, timeout: float = 30.0) -> None:
        """Wait until every message is acknowledged.

        Raises DeadlineExceeded after ``timeout`` seconds, ServerError when the broker refused a message, or the failure
        that ended the producer.
        """
        if not await self._settled.wait(timeout):
            left = self.stats()["in_flight"]
            raise DeadlineExceeded(f"{left} messages to {self.topic} are not acknowledged after {timeout:g} s")
        self._native.check()

    def stats(self) -> dict[str, int]:
        """Messages sent, acked, failed, in_flight; requests, writes, reads, bytes, reconnects, resent."""
        return self._native.stats()

    def _deadline(self, timeout: float) -> float:
        return asyncio.get_running_loop().time() + (timeout if self._wait else 0)

    async def _wait_room(self, deadline: float) -> None:
        if not self._wait or not await self._room.wait_until(deadline):
            raise QueueFull("the window is full: every message allowed is unacknowledged")

    def __repr__(self) -> str:
        stats = self.stats()
        state = "closed" if self.closed else f"{stats['in_flight']} in flight"
        return f"<headrace.mq.aio.Producer {self.topic!r}: {stats['acked']} of {stats['sent']} acknowledged, {state}>"


class Batch(Messages):
    """Messages that were received together: a sequence of `Message`, and `ack` for all of them."""

    _name = "headrace.mq.aio.Batch"

    def __init__(self, consumer: Consumer, messages: list[Message]) -> None:
        super().__init__(messages)
        self._consumer = consumer

    async def ack(self) -> None:
        """Acknowledge every message of the batch; see `Consumer.ack`."""
        await self._consumer.ack(self._messages)


class Consumer(AsyncClient):
    """Receives from one topic as a member of a group. See `headrace.mq.Consumer` for what it promises.

    Entering the context manager connects; without it, receiving waits for the connection.

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

    Raises InvalidArgument.
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
        self._url, self.topic, self.group = url, topic, group
        self._timeout, self._connect_timeout = timeout, broker_timeout
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
        self._opened = Condition(self._native.when_open)
        self._received = Condition(self._native.when_received)
        self._settled = Condition(self._native.when_settled)

    async def receive(self, timeout: float | None = None) -> Batch:
        """What has arrived, at most ``batch`` messages; waits while there is nothing.

        Empty after ``timeout`` seconds without a message (None: the consumer's own, or for ever). Raises the failure
        that ended the consumer, once everything received before was taken. Cancelling it loses no message.
        """
        limit = timeout if timeout is not None else self._timeout
        deadline = None if limit is None else asyncio.get_running_loop().time() + limit
        while not (messages := self._native.receive(0.0, self._most)):
            if not await self._received.wait_until(deadline):
                break
        return Batch(self, messages)

    async def ack(self, messages: Message | Iterable[Message]) -> None:
        """Acknowledge one message or several. Does not wait for the broker; `flush` does."""
        several: Iterable[Any] = [messages] if isinstance(messages, Message) else messages
        self._native.ack([message.tag for message in several])

    async def ack_through(self, message: Message) -> None:
        """Acknowledge this message and every one received before it."""
        self._native.ack_through(message.tag)

    async def flush(self, timeout: float = 30.0) -> None:
        """Wait until the broker has confirmed every acknowledgement.

        Raises DeadlineExceeded after ``timeout`` seconds, or the failure that ended the consumer.
        """
        if not await self._settled.wait(timeout):
            raise DeadlineExceeded(f"acknowledgements of {self.topic} are not confirmed after {timeout:g} s")
        self._native.check()

    def stats(self) -> dict[str, int]:
        """Messages received, acked, redelivered, unacked, waiting; requests, writes, reads, bytes, reconnects."""
        return self._native.stats()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        batch = await self.receive()
        if not batch:
            raise StopAsyncIteration
        return batch

    def __repr__(self) -> str:
        stats = self.stats()
        state = "closed" if self.closed else f"{stats['unacked']} unacknowledged"
        return f"<headrace.mq.aio.Consumer {self.topic!r} in {self.group!r}: {stats['received']} received, {state}>"
