"""Functions that worker processes import by name, and the little misfortunes of tests."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

seen: list[Any] = []


def echo(value: Any) -> Any:
    return value


def add(left: int, right: int = 0) -> int:
    return left + right


def process_id(_: object = None) -> int:
    return os.getpid()


def fail(text: str) -> NoReturn:
    raise ValueError(text)


def exit_with(status: int) -> NoReturn:
    os._exit(status)


def kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    signal.pause()


def hang_stubbornly() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()


def print_everywhere() -> str:
    print("printed", flush=True)
    os.write(1, b"written\n")
    os.write(2, b"written too\n")
    return "done"


def write_to_channel() -> None:
    os.write(_channel(), b"this is no message")
    signal.pause()


def _channel() -> int:
    return min(int(e) for e in os.listdir("/proc/self/fd") if _is_socket(e) and int(e) > 2)


def _is_socket(entry: str) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{entry}").startswith("socket:")
    except OSError:
        return False


class Unpicklable:
    def __reduce__(self) -> NoReturn:
        raise TypeError("I stay here")


class BreaksOnArrival:
    def __reduce__(self) -> Any:
        return fail, ("broken on arrival",)


def make_unpicklable() -> Unpicklable:
    return Unpicklable()


class Awkward(Exception):
    """Pickles, and cannot be made again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raise_awkward() -> NoReturn:
    raise Awkward(1, 2)


def grow(megabytes: int) -> int:
    seen.append(bytearray(os.urandom(1024) * 1024 * megabytes))
    return os.getpid()


def remember(value: Any) -> None:
    seen.append(value)


def what_is_remembered() -> list[Any]:
    return list(seen)


def describe_bytes(data: bytes) -> tuple[str, int, bool]:
    return type(data).__name__, len(data), hash(data) is not None


def reverse(data: bytes) -> bytes:
    return data[::-1]


def keep_and_return(data: bytes) -> bytes:
    seen.append(data)
    return data


def append_line(path: str, text: str) -> None:
    with Path(path).open("a") as file:
        file.write(text + "\n")


def die_once(path: str) -> None:
    """An initializer that kills its process while the file exists."""
    if Path(path).exists():
        os.kill(os.getpid(), signal.SIGSEGV)


def thread_name() -> str:
    return threading.current_thread().name


def burn(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
