"""Producer and Consumer in event loops, over every broker of this build."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from headrace.errors import Closed, ConnectionFailed, DeadlineExceeded, InvalidArgument, QueueFull, ServerError
from headrace.mq.aio import Consumer, Producer
from headrace.redis import Client
from headrace.servers import RedisServer

pytestmark = pytest.mark.broker

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    new_loop = asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(main)

    return run


@pytest.fixture(params=["redis", "inproc"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "inproc":
        return f"inproc://{uuid.uuid4().hex}"
    server: RedisServer = request.getfixturevalue("shared_redis_server")
    return server.url


@pytest.fixture
def topic() -> str:
    return uuid.uuid4().hex


def test_what_was_sent_is_received_in_order(run: Run, url: str, topic: str) -> None:
    async def main() -> None:
        payloads = [b"", b"\x00\r\n\xff", b"x" * 100_000, "é".encode()]
        async with Producer(url, topic=topic) as producer:
            ids = [await producer.send(payload) for payload in payloads]
            await producer.flush()
            assert producer.stats()["acked"] == 4
        async with Consumer(url, topic=topic, timeout=10) as consumer:
            got: list[tuple[str, bytes]] = []
            async for batch in consumer:
                got += [(message.id, message.payload) for message in batch]
                await batch.ack()
                if len(got) == 4:
                    break
            assert got == list(zip(ids, payloads, strict=True))
            await consumer.flush()
            assert consumer.stats()["acked"] == 4

    run(main())


def test_producer_and_consumer_run_side_by_side(run: Run, url: str, topic: str) -> None:
    async def main() -> None:
        count = 5000
        sent: list[str] = []
        got: list[str] = []

        async def produce() -> None:
            async with Producer(url, topic=topic, window=100, batch=10) as producer:
                for i in range(count):
                    sent.append(await producer.send(str(i)))

        async def consume() -> None:
            async with Consumer(url, topic=topic, timeout=20) as consumer:
                async for batch in consumer:
                    got.extend(message.id for message in batch)
                    await batch.ack()
                    if len(got) == count:
                        break

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            group.create_task(consume())
        assert got == sent

    run(main())


def test_many_tasks_wait_for_room_in_one_window(run: Run, url: str, topic: str) -> None:
    async def main() -> None:
        async with Producer(url, topic=topic, window=3) as producer:

            async def send(i: int) -> str:
                return await producer.send(str(i), id=f"message-{i}")

            ids = await asyncio.gather(*(send(i) for i in range(300)))
            assert ids == [f"message-{i}" for i in range(300)]
            await producer.flush()
            assert producer.stats()["acked"] == 300

    run(main())


def test_a_future_per_message(run: Run, url: str, topic: str) -> None:
    async def main() -> None:
        async with Producer(url, topic=topic) as producer:
            waiting = [await producer.send_acked(b"x") for _ in range(100)]
            acks = await asyncio.gather(*(ack for _, ack in waiting))
            assert [ack.id for ack in acks] == [id_ for id_, _ in waiting]
            assert all(0 < ack.sent_ns <= ack.acked_ns for ack in acks)
            assert all(ack.error is None for ack in acks)
            given_up = (await producer.send_acked(b"x"))[1]
            given_up.cancel()
            await producer.flush()
            assert producer.stats()["acked"] == 101

    run(main())


def test_a_full_window_refuses_at_once_or_after_a_while(run: Run, topic: str, redis_server: RedisServer) -> None:
    async def main() -> None:
        async with (
            Producer(redis_server.url, topic=topic, window=2, on_full="reject") as rejecting,
            Producer(redis_server.url, topic=topic, window=2) as waiting,
        ):
            assert redis_server.pid is not None
            os.kill(redis_server.pid, signal.SIGSTOP)
            try:
                for producer in (rejecting, waiting):
                    for _ in range(2):
                        await producer.send(b"x")
                with pytest.raises(QueueFull):
                    await rejecting.send(b"x")
                with pytest.raises(QueueFull):
                    await waiting.send(b"x", timeout=0.05)
                with pytest.raises(DeadlineExceeded, match="2 messages"):
                    await waiting.flush(0.05)
                blocked = asyncio.ensure_future(waiting.send(b"x"))
                await asyncio.sleep(0.01)
                assert not blocked.done()
            finally:
                os.kill(redis_server.pid, signal.SIGCONT)
            await blocked

    run(main())


def test_a_cancelled_receive_loses_no_message(run: Run, url: str, topic: str) -> None:
    async def main() -> None:
        async with Consumer(url, topic=topic) as consumer, Producer(url, topic=topic) as producer:
            for _ in range(20):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(consumer.receive(), 0.001)
            assert len(await consumer.receive(0.001)) == 0
            sent = [await producer.send(b"x") for _ in range(10)]
            got: list[str] = []
            while len(got) < 10:
                batch = await consumer.receive(10)
                got += [message.id for message in batch]
                await batch.ack()
            assert got == sent

    run(main())


def test_iteration_ends_when_nothing_comes(run: Run, url: str, topic: str) -> None:
    async def main() -> None:
        async with Consumer(url, topic=topic, timeout=0.05) as consumer:
            assert [batch async for batch in consumer] == []

    run(main())


def test_cumulative_ack(run: Run, url: str, topic: str) -> None:
    async def main() -> None:
        async with Producer(url, topic=topic) as producer:
            for _ in range(10):
                await producer.send(b"x")
        async with Consumer(url, topic=topic, batch=10) as consumer:
            messages = list(await consumer.receive(10))
            while len(messages) < 10:
                messages += list(await consumer.receive(10))
            await consumer.ack_through(messages[6])
            await consumer.ack(messages[7])
            await consumer.flush()
            assert consumer.stats()["acked"] == 8
            assert "2 unacknowledged" in repr(consumer)

    run(main())


def test_closed_ones_refuse_and_closing_frees_who_waits(run: Run, url: str, topic: str) -> None:
    async def main() -> None:
        producer = Producer(url, topic=topic)
        await producer.send(b"x")
        await producer.close()
        await producer.close()
        with pytest.raises(Closed):
            await producer.send(b"x")
        with pytest.raises(Closed):
            await producer.send_acked(b"x")
        assert "closed" in repr(producer)
        consumer = Consumer(url, topic=topic, group=uuid.uuid4().hex)
        while not await consumer.receive(10):
            pass
        waiting = asyncio.ensure_future(consumer.receive())
        await asyncio.sleep(0)
        await consumer.close()
        with pytest.raises(Closed):
            await waiting

    run(main())


def test_bad_options_and_no_broker(run: Run, topic: str) -> None:
    async def main() -> None:
        for options in ({"window": 0}, {"window": -1}, {"on_full": "explode"}, {"topic": ""}):
            with pytest.raises(InvalidArgument):
                Producer(**{"url": "inproc://x", "topic": topic} | options)  # type: ignore[arg-type]
        with pytest.raises(ConnectionFailed):
            async with Producer("redis://127.0.0.1:1", topic=topic, timeout=0.2):
                raise AssertionError("there is no server")
        with pytest.raises(ConnectionFailed):
            await Consumer("redis://127.0.0.1:1", topic=topic, broker_timeout=0.2).open()

    run(main())


def test_a_refused_message_says_so_to_its_future(run: Run, shared_redis_server: RedisServer, topic: str) -> None:
    with Client(shared_redis_server.url) as client:
        client.execute("SET", topic, "not a stream")

    async def main() -> None:
        producer = await Producer(shared_redis_server.url, topic=topic).open()
        _, ack = await producer.send_acked(b"x")
        with pytest.raises(ServerError, match="WRONGTYPE"):
            await ack
        with pytest.raises(ServerError, match="WRONGTYPE"):
            await producer.close()

    run(main())


def test_a_broker_killed_mid_run_loses_nothing(run: Run, make_redis_server: Callable[..., RedisServer]) -> None:
    server = make_redis_server(appendfsync="always")
    topic = "orders"

    async def main() -> None:
        async with (
            Consumer(server.url, topic=topic, batch=50) as consumer,
            Producer(server.url, topic=topic) as producer,
        ):
            sent = [await producer.send(os.urandom(50)) for _ in range(500)]
            server.kill()
            server.restart()
            acks = []
            for _ in range(500):
                id_, ack = await producer.send_acked(os.urandom(50))
                sent.append(id_)
                acks.append(ack)
            await producer.flush(60)
            assert {ack.id for ack in await asyncio.gather(*acks)} == set(sent[500:])
            seen: set[str] = set()
            while seen != set(sent):
                batch = await consumer.receive(30)
                assert batch, f"{len(set(sent) - seen)} messages are missing"
                seen.update(message.id for message in batch)
                await batch.ack()
            assert producer.stats()["reconnects"] == 1

    run(main())
