"""Producer and Consumer over every broker of this build."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from headrace.errors import (
    AuthenticationFailed,
    Closed,
    ConnectionFailed,
    InvalidArgument,
    QueueFull,
    ServerError,
)
from headrace.mq import Consumer, Producer
from headrace.redis import Client
from headrace.servers import RedisServer

pytestmark = pytest.mark.broker


@pytest.fixture(params=["redis", "inproc"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "inproc":
        return f"inproc://{uuid.uuid4().hex}"
    server: RedisServer = request.getfixturevalue("shared_redis_server")
    return server.url


@pytest.fixture
def topic() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def client(shared_redis_server: RedisServer) -> Iterator[Client]:
    with Client(shared_redis_server.url) as client:
        yield client


def received(url: str, topic: str, count: int, **options: object) -> list[str]:
    """The ids of ``count`` messages, acknowledged."""
    ids: list[str] = []
    with Consumer(url, topic=topic, timeout=10, **options) as consumer:  # type: ignore[arg-type]
        while len(ids) < count:
            batch = consumer.receive()
            assert batch, f"only {len(ids)} of {count} came"
            ids += [message.id for message in batch]
            batch.ack()
    return ids


def test_what_was_sent_is_received_in_order(url: str, topic: str) -> None:
    payloads = [b"", b"\x00\r\n\xff", b"x" * 100_000, "é".encode()]
    with Producer(url, topic=topic) as producer:
        ids = [producer.send(payload) for payload in payloads]
        producer.flush()
        assert producer.stats()["acked"] == 4
    with Consumer(url, topic=topic) as consumer:
        messages = []
        while len(messages) < 4:
            batch = consumer.receive(10)
            messages += list(batch)
            batch.ack()
        assert [message.payload for message in messages] == payloads
        assert [message.id for message in messages] == ids
        assert not any(message.redelivered for message in messages)
        assert len({id_.rsplit("-", 1)[0] for id_ in ids}) == 1
        assert all(16 <= len(id_) <= 40 for id_ in ids)


def test_batches_arrive_whole(url: str, topic: str) -> None:
    with Producer(url, topic=topic, batch=10) as producer:
        sent = [producer.send(b"x") for _ in range(95)]
    assert received(url, topic, 95, batch=10) == sent


def test_groups_get_all_and_members_share(url: str, topic: str) -> None:
    Consumer(url, topic=topic, group="one").close()
    Consumer(url, topic=topic, group="two").close()
    with Producer(url, topic=topic) as producer:
        sent = {producer.send(b"x") for _ in range(100)}
    assert set(received(url, topic, 100, group="one")) == sent
    assert set(received(url, topic, 100, group="two")) == sent


def test_acks_tell_when_each_message_was_accepted(url: str, topic: str) -> None:
    with Producer(url, topic=topic, collect_acks=True) as producer:
        ids = [producer.send(b"x", id=f"order-{i}") for i in range(3)]
        producer.flush()
        acks = producer.acks()
        assert [ack.id for ack in acks] == ids == ["order-0", "order-1", "order-2"]
        assert all(0 < ack.sent_ns <= ack.acked_ns <= time.monotonic_ns() for ack in acks)
        assert all(ack.error is None for ack in acks)


def test_a_full_window_refuses_or_waits(url: str, topic: str, shared_redis_server: RedisServer) -> None:
    with Producer(url, topic=topic, window=2, on_full="reject", collect_acks=True) as producer:
        producer.send(b"x")
        producer.send(b"x")
        producer.flush()
        with pytest.raises(QueueFull):  # unread acknowledgements count against the window
            producer.send(b"x")
        producer.acks()
        producer.send(b"x")
    with Producer(url, topic=topic, window=2) as producer:
        for _ in range(100):
            producer.send(b"x")


def test_a_closed_producer_refuses(url: str, topic: str) -> None:
    producer = Producer(url, topic=topic)
    producer.close()
    producer.close()
    assert "closed" in repr(producer)
    with pytest.raises(Closed):
        producer.send(b"x")


def test_iteration_ends_when_nothing_comes(url: str, topic: str) -> None:
    with Consumer(url, topic=topic, timeout=0.05) as consumer:
        assert list(consumer) == []


def test_what_a_consumer_left_comes_again_to_another(url: str, topic: str) -> None:
    with Producer(url, topic=topic) as producer:
        producer.send(b"x", id="left-behind-message")
        producer.send(b"x", id="acknowledged-message")
    left = Consumer(url, topic=topic, batch=2)
    messages = list(left.receive(10))
    while len(messages) < 2:
        messages += list(left.receive(10))
    left.ack(messages[1])
    left.flush()
    left.close()
    with Consumer(url, topic=topic, claim_idle=0.05) as other:
        batch = other.receive(10)
        assert [(message.id, message.redelivered) for message in batch] == [("left-behind-message", True)]
        batch.ack()


def test_cumulative_ack(url: str, topic: str) -> None:
    with Producer(url, topic=topic) as producer:
        for _ in range(10):
            producer.send(b"x")
    with Consumer(url, topic=topic, batch=10) as consumer:
        messages = list(consumer.receive(10))
        while len(messages) < 10:
            messages += list(consumer.receive(10))
        consumer.ack_through(messages[6])
        consumer.flush()
        assert consumer.stats()["acked"] == 7
        assert consumer.stats()["unacked"] == 3


def test_topics_with_odd_characters(url: str) -> None:
    odd = 'a b\r\n*{}"\\é\N{CAT FACE}' + uuid.uuid4().hex
    with Producer(url, topic=odd) as producer:
        sent = producer.send(b"x")
    assert received(url, odd, 1) == [sent]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"url": "kafka2://x"}, "no broker for 'kafka2://'"),
        ({"url": "nonsense"}, "no scheme"),
        ({"topic": ""}, "topic must not be empty"),
        ({"window": 0}, "window must be at least 1"),
        ({"window": -1}, "window must not be negative"),
        ({"on_full": "explode"}, "on_full"),
    ],
)
def test_bad_options(url: str, topic: str, options: dict[str, object], text: str) -> None:
    settings: dict[str, object] = {"url": url, "topic": topic} | options
    with pytest.raises(InvalidArgument, match=text):
        Producer(settings.pop("url"), **settings)  # type: ignore[arg-type]


def test_refused_connection_and_wrong_password(make_redis_server: Callable[..., RedisServer], topic: str) -> None:
    with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:1.*refused"):
        Producer("redis://127.0.0.1:1", topic=topic, timeout=0.3)
    server = make_redis_server(password="right")
    with pytest.raises(AuthenticationFailed):
        Producer(f"redis://:wrong@127.0.0.1:{server.port}", topic=topic)


def test_a_key_of_another_type_is_refused_in_words(
    shared_redis_server: RedisServer, client: Client, topic: str
) -> None:
    client.execute("SET", topic, "not a stream")
    with (
        pytest.raises(ServerError, match="WRONGTYPE"),
        Producer(shared_redis_server.url, topic=topic) as producer,
    ):
        producer.send(b"x")
    with pytest.raises(ServerError, match="WRONGTYPE"):
        Consumer(shared_redis_server.url, topic=topic).receive(10)


def test_foreign_entries_get_the_brokers_id(shared_redis_server: RedisServer, client: Client, topic: str) -> None:
    entry = client.execute("XADD", topic, "*", "name", "value").decode()
    assert received(shared_redis_server.url, topic, 1) == [entry]


def test_survives_a_killed_server_without_losing_what_was_acknowledged(
    make_redis_server: Callable[..., RedisServer], topic: str
) -> None:
    server = make_redis_server(appendfsync="always")
    with Consumer(server.url, topic=topic, batch=50) as consumer, Producer(server.url, topic=topic) as producer:
        sent = [producer.send(os.urandom(50)) for _ in range(500)]
        server.kill()
        server.restart()
        sent += [producer.send(os.urandom(50)) for _ in range(500)]
        producer.flush(60)
        seen: set[str] = set()
        while seen != set(sent):
            batch = consumer.receive(30)
            assert batch, f"{len(set(sent) - seen)} messages are missing"
            seen.update(message.id for message in batch)
            batch.ack()
        assert producer.stats()["reconnects"] == 1


def test_a_stable_name_resumes_its_own_messages(shared_redis_server: RedisServer, topic: str) -> None:
    url = shared_redis_server.url
    with Producer(url, topic=topic) as producer:
        sent = producer.send(b"x")
    first = Consumer(url, topic=topic, name="me")
    assert len(first.receive(10)) == 1
    first.close()
    with Consumer(url, topic=topic, name="me", claim_idle=3600) as again:
        batch = again.receive(10)
        assert [(message.id, message.redelivered) for message in batch] == [(sent, True)]
        batch.ack()


def test_a_consumer_leaves_its_group_unless_something_is_pending(
    shared_redis_server: RedisServer, client: Client, topic: str
) -> None:
    url = shared_redis_server.url

    def names() -> set[bytes]:
        return {
            dict(zip(c[::2], c[1::2], strict=True))[b"name"] for c in client.execute("XINFO", "CONSUMERS", topic, "g")
        }

    with Producer(url, topic=topic) as producer:
        producer.send(b"x")
    holder = Consumer(url, topic=topic, group="g", name="holder")
    assert len(holder.receive(10)) == 1
    idle = Consumer(url, topic=topic, group="g", name="idle")
    assert not idle.receive(0.2)
    assert names() == {b"holder", b"idle"}
    holder.close()
    idle.close()
    deadline = time.monotonic() + 10
    while names() != {b"holder"}:
        assert time.monotonic() < deadline, names()
    with Consumer(url, topic=topic, group="g", name="holder") as again:
        again.receive(10).ack()
    while names():
        assert time.monotonic() < deadline, names()


def test_maxlen_trims_what_every_group_has_acknowledged_and_nothing_else(
    shared_redis_server: RedisServer, client: Client, topic: str
) -> None:
    url = f"{shared_redis_server.url}?maxlen=100"
    with Producer(url, topic=topic) as producer:
        for _ in range(1000):
            producer.send(b"x")
    assert client.execute("XLEN", topic) == 1000  # nobody has read them
    received(shared_redis_server.url, topic, 1000, group="fast")
    client.execute("XGROUP", "CREATE", topic, "slow", "0")
    with Producer(url, topic=topic) as producer:
        for _ in range(200):
            producer.send(b"x")
    assert client.execute("XLEN", topic) == 1200  # the slow group still needs them
    received(shared_redis_server.url, topic, 1200, group="slow")
    received(shared_redis_server.url, topic, 200, group="fast")
    with Producer(url, topic=topic) as producer:
        for _ in range(200):
            producer.send(b"x")
    assert client.execute("XLEN", topic) < 400
