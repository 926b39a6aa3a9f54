"""Pub/sub against a real server, for threads and for event loops."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from headrace.errors import Closed, DeadlineExceeded, InvalidArgument, QueueFull, ServerError
from headrace.redis import Client, Message, aio
from headrace.servers import RedisServer

pytestmark = pytest.mark.broker


def test_threads_receive_channels_and_patterns(redis_server: RedisServer) -> None:
    with (
        Client(redis_server.url) as client,
        client.subscribe("a", "b", patterns=["news.*"], timeout=10) as subscription,
    ):
        assert client.execute("PUBLISH", "a", b"\x00\xff") == 1
        client.execute("PUBLISH", "b", "two")
        client.execute("PUBLISH", "c", "nobody")
        client.execute("PUBLISH", "news.uk", "three")
        assert subscription.receive() == Message("a", b"\x00\xff", None)
        assert subscription.receive() == Message("b", b"two", None)
        assert subscription.receive() == Message("news.uk", b"three", "news.*")
        assert subscription.receive(0.01) is None
        subscription.subscribe("c")
        subscription.unsubscribe("a")
        assert client.execute("PUBLISH", "c", "now") == 1
        assert client.execute("PUBLISH", "a", "gone") == 0
        assert subscription.receive() == Message("c", b"now", None)
        subscription.unsubscribe()
        subscription.punsubscribe()
        assert client.execute("PUBLISH", "b", "gone") == 0
        assert subscription.stats()["received"] == 4
        assert "4 received" in repr(subscription)


def test_iteration_ends_with_its_timeout(redis_server: RedisServer) -> None:
    with Client(redis_server.url) as client, client.subscribe("a", timeout=0.05) as subscription:
        for i in range(3):
            client.execute("PUBLISH", "a", i)
        assert [message.payload for message in subscription] == [b"0", b"1", b"2"]


def test_a_coroutine_iterates(redis_server: RedisServer) -> None:
    async def main() -> None:
        async with (
            aio.Client(redis_server.url) as client,
            client.subscribe("a", patterns=["n.*"], timeout=10) as subscription,
        ):

            async def publish() -> None:
                for i in range(1000):
                    await client.execute("PUBLISH", "a" if i % 2 else "n.x", i)

            task = asyncio.ensure_future(publish())
            got: list[int] = []
            async for message in subscription:
                assert message.pattern == (None if message.channel == "a" else "n.*")
                got.append(int(message.payload))
                if len(got) == 1000:
                    break
            assert got == list(range(1000))
            await task
            assert await subscription.receive(0.01) is None
            await subscription.subscribe("b")
            await subscription.psubscribe("b*")
            await subscription.unsubscribe("a")
            await subscription.punsubscribe("n.*")
            assert await client.execute("PUBLISH", "b", "twice") == 2
            assert {(await subscription.receive()).pattern for _ in range(2)} == {None, "b*"}  # type: ignore[union-attr]

    asyncio.run(main())


def test_a_cancelled_receive_loses_no_message(redis_server: RedisServer) -> None:
    async def main() -> None:
        async with aio.Client(redis_server.url) as client, client.subscribe("a") as subscription:
            for _ in range(20):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.001):
                        await subscription.receive()
            await client.execute("PUBLISH", "a", "kept")
            message = await subscription.receive(10)
            assert message is not None
            assert message.payload == b"kept"

    asyncio.run(main())


def test_slow_receivers_lose_the_oldest_or_end(redis_server: RedisServer) -> None:
    with (
        Client(redis_server.url) as client,
        client.subscribe("a", max_queue_size=10) as dropping,
        client.subscribe("a", max_queue_size=10, on_full="reject") as ending,
    ):
        pipe = client.pipeline()
        for i in range(100):
            pipe.execute("PUBLISH", "a", i)
        pipe.run()
        while dropping.stats()["received"] < 100:
            assert not dropping.closed
        got = [dropping.receive(1) for _ in range(10)]
        assert [message.payload for message in got if message] == [str(i).encode() for i in range(90, 100)]
        assert dropping.stats()["dropped"] == 90
        assert [message.payload for message in (ending.receive(10) for _ in range(10)) if message] == [
            str(i).encode() for i in range(10)
        ]
        with pytest.raises(QueueFull, match="max_queue_size"):
            ending.receive(10)


def test_a_lost_connection_subscribes_anew(make_redis_server: Callable[..., RedisServer]) -> None:
    server = make_redis_server()
    with Client(server.url, timeout=20) as client, client.subscribe("a", patterns=["p*"]) as subscription:
        server.kill()
        server.restart()
        subscription.subscribe("b")  # waits until all of them are confirmed again
        assert client.execute("PUBLISH", "a", "back") == 1
        assert client.execute("PUBLISH", "pp", "too") == 1
        assert client.execute("PUBLISH", "b", "new") == 1
        assert [message.channel for message in (subscription.receive(10) for _ in range(3)) if message] == [
            "a",
            "pp",
            "b",
        ]
        assert subscription.stats()["reconnects"] == 1


def test_what_cannot_be_subscribed(make_redis_server: Callable[..., RedisServer]) -> None:
    server = make_redis_server()
    with Client(server.url) as client:
        with pytest.raises(InvalidArgument):
            client.subscribe("")
        client.execute("ACL", "SETUSER", "poor", "on", ">pw", "+@all", "~*", "resetchannels")
        with (
            Client(f"redis://poor:pw@127.0.0.1:{server.port}") as poor,
            pytest.raises(ServerError, match="NOPERM"),
        ):
            poor.subscribe("a")
        subscription = client.subscribe("a")
        subscription.close()
        subscription.close()
        assert subscription.closed
        with pytest.raises(Closed):
            subscription.receive()
    with Client("redis://127.0.0.1:1", timeout=0.2) as nowhere, pytest.raises(DeadlineExceeded, match="not confirmed"):
        nowhere.subscribe("a")

    async def main() -> None:
        async with aio.Client("redis://127.0.0.1:1", timeout=0.2) as nowhere:
            with pytest.raises(DeadlineExceeded, match="not confirmed"):
                async with nowhere.subscribe("a"):
                    raise AssertionError("there is no server")

    asyncio.run(main())


def test_closing_ends_a_waiting_coroutine(redis_server: RedisServer) -> None:
    async def main() -> None:
        async with aio.Client(redis_server.url) as client, client.subscribe("a") as subscription:
            waiting = asyncio.ensure_future(subscription.receive())
            await asyncio.sleep(0)
            await subscription.close()
            with pytest.raises(Closed):
                await waiting

    asyncio.run(main())


def test_ctrl_c_interrupts_a_waiting_subscription(redis_server: RedisServer) -> None:
    program = (
        "import headrace, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job inherits it ignored
        f"client = headrace.redis.Client({redis_server.url!r})\n"
        "try:\n"
        "    with client.subscribe('a') as subscription:\n"
        "        print('ready', flush=True)\n"
        "        next(iter(subscription))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert child.wait(10) == 0
