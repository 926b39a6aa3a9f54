"""Handlers that worker processes import by name."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import exec_helpers

from headrace.http import Accepted, HTTPError, Request, Response


class Mailbox:
    """A named pipe by which a worker tells a number."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self.path = str(Path(self._folder.name) / "box")
        os.mkfifo(self.path)
        return self

    def __exit__(self, *exc: object) -> None:
        self._folder.cleanup()

    def read_int(self) -> int:
        return int(Path(self.path).read_text())


def see(request: Request) -> Response:
    told = {
        "id": request.params["id"],
        "query": request.query_params,
        "json": request.json(),
        "client": request.client,
        "method": request.method,
        "pid": os.getpid(),
    }
    return Response(told, headers={"X-From": "worker"})


def echo(request: Request) -> bytes:
    return request.body


def pieces(request: Request) -> Iterator[str]:
    for n in range(3):
        yield f"{n}\n"


def fail(request: Request) -> None:
    raise ValueError("a secret")


def odd(request: Request) -> Any:
    return object()


def http_error(request: Request) -> None:
    raise HTTPError(418)


def die(request: Request) -> None:
    os._exit(3)


def exit_0(request: Request) -> None:
    os._exit(0)


def segfault(request: Request) -> None:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)


def write_to_channel(request: Request) -> None:
    exec_helpers.write_to_channel()


def print_and_answer(request: Request) -> str:
    print("printed", flush=True)
    return "answered"


def grow(request: Request) -> str:
    """Keeps 200 MiB."""
    leaked.append(bytearray(os.urandom(1 << 20) * 200))
    return str(os.getpid())


leaked: list[bytearray] = []


def pid(request: Request) -> str:
    return str(os.getpid())


def hang(request: Request) -> None:
    signal.pause()


def say_pid_and_wait(request: Request) -> None:
    tell(request.query_params["box"][0])
    signal.pause()


def tell(box: str) -> None:
    Path(box).write_text(str(os.getpid()))


def accept(request: Request) -> Accepted:
    return Accepted(tell, request.query_params["box"][0])


def accept_death(request: Request) -> Accepted:
    return Accepted(os._exit, 3)
