"""The native Redis client in event loops, against a real server."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

import headrace
from headrace.errors import (
    AuthenticationFailed,
    Closed,
    DeadlineExceeded,
    Forked,
    InvalidArgument,
    MaybeExecuted,
    QueueFull,
    ServerError,
)
from headrace.redis.aio import Client
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


def test_every_kind_of_reply(run: Run, redis_server: RedisServer) -> None:
    async def main() -> None:
        async with Client(redis_server.url) as client:
            assert await client.execute("SET", "k", b"\x00\r\n\xff") == "OK"
            assert await client.execute("GET", "k") == b"\x00\r\n\xff"
            assert await client.execute("GET", "absent") is None
            assert await client.execute("INCRBY", "n", 41) == 41
            assert await client.execute("EVAL", "return {1, {'x', {}}, false}", 0) == [1, [b"x", []], None]
            with pytest.raises(ServerError, match=r"127\.0\.0\.1:\d+: INCR: .*not an integer"):
                await client.execute("INCR", "k")
            assert repr(client).startswith("<headrace.redis.aio.Client ")

    run(main())


def test_a_thousand_concurrent_commands_leave_in_a_few_writes(run: Run, redis_server: RedisServer) -> None:
    async def main() -> None:
        async with Client(redis_server.url) as client:
            await client.execute("PING")
            before = client.stats()["writes"]
            echoes = await asyncio.gather(*(client.execute("ECHO", i) for i in range(1000)))
            assert echoes == [str(i).encode() for i in range(1000)]
            assert client.stats()["writes"] - before <= 4

    run(main())


def test_commands_of_one_loop_keep_their_order(run: Run, redis_server: RedisServer) -> None:
    async def main() -> None:
        async with Client(redis_server.url) as client:

            async def push(value: int) -> None:
                await client.execute("RPUSH", "list", value)

            async with asyncio.TaskGroup() as group:
                for i in range(500):
                    group.create_task(push(i))
            assert await client.execute("LRANGE", "list", 0, -1) == [str(i).encode() for i in range(500)]

    run(main())


def test_a_command_is_sent_even_if_nobody_awaits_it(run: Run, redis_server: RedisServer) -> None:
    async def main() -> None:
        async with Client(redis_server.url) as client:
            client.execute("SET", "k", "v")
            assert await client.execute("GET", "k") == b"v"

    run(main())


def test_a_thread_can_wait_for_what_it_started(redis_server: RedisServer) -> None:
    client = Client(redis_server.url)
    future = client.execute("ECHO", "from a thread")
    assert isinstance(future, headrace.Future)
    assert future.result(10) == b"from a thread"
    asyncio.run(client.close())


def test_a_pipeline(run: Run, redis_server: RedisServer) -> None:
    async def main() -> None:
        async with Client(redis_server.url) as client:
            async with client.pipeline() as pipe:
                pipe.execute("INCR", "a").execute("INCR", "a")
            assert pipe.replies == [1, 2]
            pipe.execute("SET", "s", "text").execute("INCR", "s").execute("GET", "s")
            replies = await pipe.run(raise_on_error=False)
            assert replies[0] == "OK"
            assert isinstance(replies[1], ServerError)
            assert replies[2] == b"text"
            with pytest.raises(ServerError, match=r"INCR: .*not an integer"):
                await pipe.execute("INCR", "s").run()
            assert await client.pipeline().run() == []

    run(main())


def test_a_cancelled_task_gives_its_reply_up_and_no_other(run: Run, redis_server: RedisServer) -> None:
    async def main() -> None:
        async with Client(redis_server.url) as client:
            await client.execute("PING")

            async def blocked() -> None:
                await client.execute("BLPOP", "never", 0.2)

            task = asyncio.ensure_future(blocked())
            await asyncio.sleep(0)
            behind = client.execute("ECHO", "behind")
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await behind == b"behind"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await client.execute("BLPOP", "never", 0.2)
            assert await client.execute("ECHO", "after") == b"after"

    run(main())


def test_a_random_half_is_cancelled_and_every_waiter_ends_once(run: Run, redis_server: RedisServer) -> None:
    async def main() -> None:
        ended = {"answered": 0, "cancelled": 0}
        async with Client(redis_server.url) as client:

            async def call(i: int) -> None:
                try:
                    assert await client.execute("ECHO", i) == str(i).encode()
                    ended["answered"] += 1
                except asyncio.CancelledError:
                    ended["cancelled"] += 1

            for burst in range(20):
                tasks = [asyncio.ensure_future(call(i)) for i in range(200)]
                for _ in range(burst % 4):
                    await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            assert await client.execute("ECHO", "last") == b"last"
        assert ended["answered"] >= 2000

    run(main())


def test_a_deadline_per_command(run: Run, redis_server: RedisServer) -> None:
    async def main() -> None:
        async with Client(redis_server.url) as client:
            await client.execute("PING")
            assert redis_server.pid is not None
            os.kill(redis_server.pid, signal.SIGSTOP)
            try:
                with pytest.raises(MaybeExecuted, match="deadline"):
                    await client.execute("PING", timeout=0.2)
            finally:
                os.kill(redis_server.pid, signal.SIGCONT)
            assert await client.execute("PING", timeout=10) == "PONG"
            assert await client.execute("BLPOP", "never", 0.1) is None

    run(main())


def test_errors_of_the_connection(run: Run, make_redis_server: Callable[..., RedisServer]) -> None:
    async def main() -> None:
        async with Client("redis://127.0.0.1:1", timeout=0.3) as client:
            with pytest.raises(DeadlineExceeded, match=r"127\.0\.0\.1:1.*refused"):
                await client.execute("PING")
        server = make_redis_server(password="right")
        async with Client(f"redis://:wrong@127.0.0.1:{server.port}") as client:
            with pytest.raises(AuthenticationFailed, match="WRONGPASS"):
                await client.execute("PING")
        async with Client(server.url, max_queue_size=10) as client:
            pipe = client.pipeline()
            for _ in range(11):
                pipe.execute("PING")
            with pytest.raises(QueueFull, match="max_queue_size"):
                await pipe.run()
            late = client.execute("PING")
        with pytest.raises((Closed, MaybeExecuted)):
            await late
        with pytest.raises(Closed):
            await client.execute("PING")
        with pytest.raises(InvalidArgument):
            Client("http://nowhere")
        with pytest.raises(TypeError, match="bytes, str, int or float"):
            client.execute("GET", None)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument):
            client.execute()

    run(main())


def test_a_server_killed_under_load_comes_back(run: Run, make_redis_server: Callable[..., RedisServer]) -> None:
    server = make_redis_server(appendfsync="always")

    async def main() -> None:
        async with Client(server.url, timeout=30) as client:
            answered = unknown = 0
            stop = asyncio.Event()

            async def caller() -> None:
                nonlocal answered, unknown
                while not stop.is_set():
                    try:
                        await client.execute("INCR", "n")
                        answered += 1
                    except MaybeExecuted:
                        unknown += 1

            callers = [asyncio.ensure_future(caller()) for _ in range(50)]
            while answered < 500:
                await asyncio.sleep(0.001)
            server.kill()
            server.restart()
            before = answered
            while answered < before + 500:
                await asyncio.sleep(0.001)
            stop.set()
            await asyncio.gather(*callers)
            count = int(await client.execute("GET", "n"))
            assert answered <= count <= answered + unknown
            assert client.stats()["reconnects"] == 1

    run(main())


def test_two_loops_in_two_threads_share_one_client(redis_server: RedisServer) -> None:
    client = Client(redis_server.url)

    async def main() -> None:
        async def caller() -> None:
            for _ in range(20):
                await client.execute("INCR", "n")

        await asyncio.gather(*(caller() for _ in range(50)))

    threads = [
        threading.Thread(target=lambda: asyncio.run(main())),
        threading.Thread(target=lambda: uvloop.run(main())),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert client.execute("GET", "n").result(10) == b"2000"
    assert client.execute("CLIENT", "LIST").result(10).count(b"\n") == 1
    asyncio.run(client.close())


def test_a_loop_that_closes_with_commands_pending(redis_server: RedisServer) -> None:
    client = Client(redis_server.url)
    pending: list[headrace.Future[Any]] = []

    async def main() -> None:
        await client.execute("PING")
        pending.append(client.execute("BLPOP", "never", 0.2))
        pending[0].add_done_callback(lambda _: None)
        await asyncio.sleep(0)
        pending.append(client.execute("SET", "late", "sent"))  # its tick never ends

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    assert pending[0].cancelled()
    assert pending[1].result(10) == "OK"
    assert client.execute("GET", "late").result(10) == b"sent"
    asyncio.run(client.close())


def test_a_child_of_fork_needs_its_own_client(redis_server: RedisServer) -> None:
    client = Client(redis_server.url)
    assert client.execute("PING").result(10) == "PONG"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            client.execute("PING").result(10)
        except Forked:
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.execute("PING").result(10) == "PONG"
    asyncio.run(client.close())
