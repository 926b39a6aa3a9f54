"""The native Redis client against a real server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

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
from headrace.redis import Client
from headrace.servers import RedisServer

pytestmark = pytest.mark.broker


def test_every_kind_of_reply(redis_server: RedisServer) -> None:
    with Client(redis_server.url) as client:
        assert client.execute("SET", "k", b"\x00\r\n\xff") == "OK"
        assert client.execute("GET", "k") == b"\x00\r\n\xff"
        assert client.execute("GET", "absent") is None
        assert client.execute("INCRBY", "n", 41) == 41
        assert client.execute("RPUSH", "l", "a", 1, 2.5) == 3
        assert client.execute("LRANGE", "l", 0, -1) == [b"a", b"1", b"2.5"]
        assert client.execute("EVAL", "return {1, {'x', {}}, false}", 0) == [1, [b"x", []], None]
        assert "connected" in repr(client)


def test_a_large_value_there_and_back(redis_server: RedisServer) -> None:
    value = os.urandom(5_000_000)
    with Client(redis_server.url) as client:
        client.execute("SET", "big", value)
        assert client.execute("GET", "big") == value


def test_a_pipeline_travels_in_one_write_and_tells_errors_apart(redis_server: RedisServer) -> None:
    with Client(redis_server.url) as client:
        client.execute("PING")
        before = client.stats()["writes"]
        pipe = client.pipeline()
        for _ in range(1000):
            pipe.execute("INCR", "n")
        assert pipe.run()[-1] == 1000
        assert client.stats()["writes"] - before <= 3
        pipe.execute("SET", "s", "text").execute("INCR", "s").execute("GET", "s")
        replies = pipe.run(raise_on_error=False)
        assert replies[0] == "OK"
        assert isinstance(replies[1], ServerError)
        assert replies[2] == b"text"
        pipe.execute("INCR", "s")
        with pytest.raises(ServerError, match="not an integer"):
            pipe.run()


def test_threads_share_one_connection(redis_server: RedisServer) -> None:
    with Client(redis_server.url) as client:

        def work() -> None:
            for _ in range(200):
                client.execute("INCR", "n")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.execute("GET", "n") == b"1600"
        assert client.execute("CLIENT", "LIST").count(b"\n") == 1


@pytest.mark.parametrize("settings", [{"password": "p@ss:w/rd"}, {"unix_socket": True}, {"tls": True}])
def test_every_way_to_connect(make_redis_server: Callable[..., RedisServer], settings: dict[str, object]) -> None:
    server = make_redis_server(**settings)
    with Client(server.url) as client:
        assert client.execute("PING") == "PONG"


def test_an_unverified_certificate_is_refused(make_redis_server: Callable[..., RedisServer]) -> None:
    server = make_redis_server(tls=True)
    with (
        Client(server.url.split("?")[0], timeout=1) as client,
        pytest.raises(DeadlineExceeded, match="certificate verify failed"),
    ):
        client.execute("PING")


def test_a_wrong_password_is_told_at_once(make_redis_server: Callable[..., RedisServer]) -> None:
    server = make_redis_server(password="right")
    with (
        Client(f"redis://:wrong@127.0.0.1:{server.port}") as client,
        pytest.raises(AuthenticationFailed, match="WRONGPASS"),
    ):
        client.execute("PING")


def test_no_server_says_what_was_tried_and_why_it_failed() -> None:
    with (
        Client("redis://127.0.0.1:1", timeout=0.3) as client,
        pytest.raises(DeadlineExceeded, match=r"127\.0\.0\.1:1.*refused"),
    ):
        client.execute("PING")


def test_reconnects_with_database_and_name_after_a_kill(make_redis_server: Callable[..., RedisServer]) -> None:
    server = make_redis_server(appendfsync="always")
    with Client(f"{server.url}/3?client_name=probe", timeout=20) as client:
        client.execute("SET", "k", "kept")
        server.kill()
        server.restart()
        assert client.execute("GET", "k") == b"kept"
        assert client.execute("CLIENT", "GETNAME") == b"probe"
        assert client.stats()["reconnects"] == 1


def test_a_command_cut_off_says_that_it_may_have_run(redis_server: RedisServer) -> None:
    with Client(redis_server.url) as client:
        client.execute("PING")
        outcome: list[BaseException] = []

        def wait() -> None:
            try:
                client.execute("BLPOP", "never", 30)
            except BaseException as error:
                outcome.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        with Client(redis_server.url) as other:
            while b"cmd=blpop" not in other.execute("CLIENT", "LIST"):
                pass
            other.execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        thread.join(10)
        assert isinstance(outcome[0], MaybeExecuted)
        assert "may have run" in str(outcome[0])


def test_a_stopped_server_ends_a_command_at_its_deadline(redis_server: RedisServer) -> None:
    with Client(redis_server.url) as client:
        client.execute("PING")
        assert redis_server.pid is not None
        os.kill(redis_server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(MaybeExecuted, match="deadline"):
                client.execute("PING", timeout=0.2)
        finally:
            os.kill(redis_server.pid, signal.SIGCONT)
        assert client.execute("PING", timeout=10) == "PONG"


def test_a_blocking_command_gets_the_time_it_asks_for(redis_server: RedisServer) -> None:
    with Client(redis_server.url, timeout=0.5) as client:
        assert client.execute("BLPOP", "never", 1) is None


def test_a_closed_client_refuses_and_closing_twice_is_fine(redis_server: RedisServer) -> None:
    client = Client(redis_server.url)
    client.execute("PING")
    client.close()
    client.close()
    with pytest.raises(Closed):
        client.execute("PING")


def test_a_full_queue_refuses(redis_server: RedisServer) -> None:
    with Client(redis_server.url, max_queue_size=10) as client:
        pipe = client.pipeline()
        for _ in range(11):
            pipe.execute("PING")
        with pytest.raises(QueueFull, match="max_queue_size"):
            pipe.run()


@pytest.mark.parametrize("args", [(None,), (True,), ({},), ("SET", [])])
def test_arguments_that_redis_cannot_take(redis_server: RedisServer, args: tuple[object, ...]) -> None:
    with Client(redis_server.url) as client, pytest.raises(TypeError, match="bytes, str, int or float"):
        client.execute(*args)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["http://x", "redis://h:99999", "redis://h/x", "redis://h?nonsense=1", "no url"])
def test_bad_addresses(url: str) -> None:
    with pytest.raises(InvalidArgument):
        Client(url)


def test_a_child_of_fork_needs_its_own_client(redis_server: RedisServer) -> None:
    client = Client(redis_server.url)
    client.execute("PING")
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            client.execute("PING")
            os.write(write_end, b"answered")
        except Forked:
            fresh = Client(redis_server.url)
            os.write(write_end, fresh.execute("PING").encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read_end, 100) == b"PONG"
    assert client.execute("PING") == "PONG"
    client.close()


def test_ctrl_c_interrupts_a_waiting_command(redis_server: RedisServer) -> None:
    program = (
        "import headrace, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job inherits it ignored
        f"client = headrace.redis.Client({redis_server.url!r})\n"
        "client.execute('PING')\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    client.execute('BLPOP', 'never', 60)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert child.wait(10) == 0
