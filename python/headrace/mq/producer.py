"""`Producer`: send messages to any broker, at least once."""

from __future__ import annotations

from typing import Literal, NamedTuple

from headrace import _core
from headrace.errors import DeadlineExceeded, HeadraceError
from headrace.mq._base import Client, check_counts, waits_when_full


class Ack(NamedTuple):
    """The broker's answer to one message.

    Attributes:
        id: the message's id.
        sent_ns: when it was given to the connection (monotonic ns).
        acked_ns: when the acknowledgement was read (monotonic ns); 0 when refused.
        error: why the broker refused it, or None.
    """

    id: str
    sent_ns: int
    acked_ns: int
    error: HeadraceError | None


class Producer(Client):
    """Sends to one topic; the url's scheme chooses the broker.

    >>> with headrace.mq.Producer("redis://localhost:6379", topic="orders") as producer:
    ...     producer.send(b"first order")

    A message is kept until the broker has acknowledged it and is sent again, with the same id, after a lost connection:
    it arrives at least once. Any number of threads may share a producer.

    Args:
        url: broker address (``redis://``, ``rediss://``, ``unix://``, ``inproc://``).
        topic: topic, queue or stream.
        window: unacknowledged messages allowed; `send` waits (or refuses) above it.
        batch: messages per broker request, of those that wait together; 0 turns batching off.
        on_full: "wait" until the window has room, or "reject" with QueueFull.
        collect_acks: keep acknowledgements for `acks`; unread ones count against the window.
        instance: first part of generated ids; random when empty.
        timeout: seconds to connect, and to wait for a lost broker before giving up.

    Raises InvalidArgument, ConnectionFailed, AuthenticationFailed.
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
        collect_acks: bool = False,
        instance: str = "",
        timeout: float = 30.0,
    ) -> None:
        check_counts(window=window, batch=batch)
        self._waits = waits_when_full(on_full)
        self._url, self.topic = url, topic
        self._native = _core.mq.Producer(
            url=url,
            topic=topic,
            window=window,
            batch=batch,
            instance=instance,
            collect_acks=collect_acks,
            give_up_after=timeout,
        )
        self._connect(url, timeout)

    def send(self, payload: bytes | str, *, id: str | None = None, timeout: float = 30.0) -> str:
        """Queue one message and return its id; a unique one is made when ``id`` is None.

        Returns at once while the window has room. Raises QueueFull when it has none within ``timeout`` seconds (at once
        with ``on_full="reject"``), or the failure that ended the producer.
        """
        return self._native.send(payload, id, timeout if self._waits else 0.0)

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until every message is acknowledged.

        Raises DeadlineExceeded after ``timeout`` seconds, ServerError when the broker refused a message, or the failure
        that ended the producer.
        """
        if not self._native.flush(timeout):
            left = self._native.stats()["in_flight"]
            raise DeadlineExceeded(f"{left} messages to {self.topic} are not acknowledged after {timeout:g} s")

    def acks(self) -> list[Ack]:
        """The acknowledgements since the last call (needs ``collect_acks=True``), in the order in which they came."""
        return [Ack(*ack) for ack in self._native.take_acks()]

    def stats(self) -> dict[str, int]:
        """Messages sent, acked, failed, in_flight; requests, writes, reads, bytes, reconnects, resent."""
        return self._native.stats()

    def __repr__(self) -> str:
        stats = self._native.stats()
        state = "closed" if self._native.closed else f"{stats['in_flight']} in flight"
        return f"<headrace.mq.Producer {self.topic!r}: {stats['acked']} of {stats['sent']} acknowledged, {state}>"
