"""Serving from the command line: one process or several, signals, workers that end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from asgi_helpers import Client, served, serving

from headrace import asgi
from headrace.errors import InvalidArgument

HERE = Path(__file__).parent


def run(*arguments: str, target: str = "asgi_app:app") -> tuple[int, str]:
    """Exit code and standard error of a command that ends by itself."""
    process = serving(*arguments, target=target)
    _, text = process.communicate(timeout=30)
    return process.returncode, text


WORKERS = pytest.mark.parametrize("workers", ["1", "2"])


@WORKERS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_code_0_after_the_application_shut_down(workers: str, number: int) -> None:
    with served("--workers", workers) as (process, url):
        client = Client(url)
        assert client.get()[0] == 200
        process.send_signal(number)
        assert process.wait(20) == 0
        client.close()
        with pytest.raises(ConnectionRefusedError):
            Client(url)


@WORKERS
def test_what_was_accepted_is_answered_after_sigterm(workers: str) -> None:
    with served("--workers", workers) as (process, url):
        clients = [Client(url) for _ in range(20)]
        for client in clients:
            client.send("GET", "/")
            client.response()
            client.send("GET", "/slow")
        process.terminate()
        answers = [client.response() for client in clients]
        assert [status for status, _, _ in answers] == [200] * 20
        assert process.wait(20) == 0
        for client in clients:
            client.close()


def test_a_busy_server_drops_nothing_when_it_is_told_to_stop() -> None:
    """Each request that was sent whole on an accepted connection is answered, or the connection is closed before it."""
    with served("--workers", "2") as (process, url):
        lost: list[str] = []
        under_way = threading.Barrier(9)

        def work() -> None:
            client = Client(url)
            try:
                ask(client)
            finally:
                client.close()

        def ask(client: Client) -> None:
            client.get()
            under_way.wait(10)
            while True:
                try:
                    client.send("GET", "/")
                    more = client.sock.recv(65536)
                except (BrokenPipeError, ConnectionResetError):
                    return  # closed between two requests: the client may send it again elsewhere
                if not more:
                    return
                client.unread = more
                status, fields, _ = client.response()
                if status != 200:
                    lost.append(f"status {status}")
                if fields.get("connection") == "close":
                    return

        threads = [threading.Thread(target=work) for _ in range(8)]
        for t in threads:
            t.start()
        under_way.wait(10)
        process.terminate()
        for t in threads:
            t.join(20)
        assert process.wait(20) == 0
        assert lost == []


def pids(url: str, wanted: int) -> set[str]:
    """Of the workers that answer; asked until there are as many as wanted."""
    seen: set[str] = set()
    for _ in range(500):
        client = Client(url)
        seen.add(client.get()[2].decode())
        client.close()
        if len(seen) >= wanted:
            break
    return seen


def test_several_workers_share_the_port_and_a_lost_one_is_replaced() -> None:
    with served("--workers", "2") as (process, url):
        first = pids(url, 2)
        assert len(first) == 2
        client = Client(url)
        client.send("GET", "/exit")
        assert client.rest() == b""
        client.close()
        assert process.stderr is not None
        while "ended with exit code 7" not in process.stderr.readline():
            pass
        later: set[str] = set()
        while len(later - first) == 0:
            later |= pids(url, 2)
        process.terminate()
        assert process.wait(20) == 0


def test_workers_end_with_their_supervisor() -> None:
    with served("--workers", "2") as (process, url):
        workers = pids(url, 2)
        process.kill()
        process.wait(10)
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(int(pid))
                assert signal.pidfd_send_signal(descriptor, 0) is None
                assert select.select([descriptor], [], [], 15)[0], "a worker outlived its supervisor"
                os.close(descriptor)


@WORKERS
def test_an_application_that_does_not_start_ends_it_with_code_1_and_the_message(workers: str) -> None:
    code, text = run("--workers", workers, target="asgi_app:does_not_start")
    assert code == 1
    assert "no database" in text


def test_workers_that_end_again_and_again_end_it_with_code_1() -> None:
    code, text = run("--workers", "2", target="asgi_app:ends")
    assert code == 1
    assert "again and again, the last with exit code 9" in text


@WORKERS
def test_a_port_that_is_taken_ends_it_with_code_1(workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, text = run("--workers", workers, "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "cannot bind" in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--loop", "twisted"), "auto, asyncio, uvloop"),
        (("--lifespan", "maybe"), "auto, on, off"),
        (("--workers", "0"), "workers must be at least 1"),
    ],
)
def test_bad_usage_ends_it_with_code_2(arguments: tuple[str, ...], text: str) -> None:
    code, said = run(*arguments)
    assert code == 2
    assert text in said


def test_several_workers_need_a_name() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    with pytest.raises(InvalidArgument, match="module:attribute"):
        asgi.serve(app, workers=2)
