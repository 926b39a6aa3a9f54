"""What a request makes a server do: the same seconds and the same bytes for every server and executor.

==========  =========================================================  =========
kind        what it does                                               the GIL
==========  =========================================================  =========
sleep       sleeps 0.02, 0.06 and 0.2 s, blocking                      free
sleep-long  0.2, 0.6 and 2 s: what the seed's first server did         free
split       as sleep; a coroutine awaits each                          free
fetch       GETs an answer that takes 20 ms, over a new connection     free
tls-fetch   the same over TLS                                          free
file        writes 4 KiB to a new file, fsync, removes it              free
hash        SHA-1 of 1 KiB with a salt                                 held
checksum    SHA-1 and HMAC-SHA-256 of 1 KiB with a salt, as hex        held
cpu         a loop in Python, about 10 ms                              held
cpu-nogil   PBKDF2 in C, about 10 ms                                   free
==========  =========================================================  =========

Every finished task is counted in a file of its process (`Counter`), so that who measures can compare tasks finished
with replies sent without asking the server.

Threads: any. Imports little, because it is loaded by servers whose memory is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import hashlib
import hmac
import mmap
import os
import ssl
import struct
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

STEPS_S: Final = (0.02, 0.06, 0.2)
LONG_STEPS_S: Final = (0.2, 0.6, 2.0)
#: kind -> seconds that a task of it sleeps, and so takes at least.
SLEEPS_S: Final = {"sleep": sum(STEPS_S), "split": sum(STEPS_S), "sleep-long": sum(LONG_STEPS_S)}
FETCH_MS: Final = 20
FILE_BYTES: Final = 4096
REPLY: Final = "OK\n"  #: what a server answers when the task has finished (or was only queued, in the un-awaited case)

#: kind -> whether it keeps the interpreter's lock while it uses the CPU; None: it hardly uses the CPU.
HOLDS_GIL: Final[dict[str, bool | None]] = {
    "sleep": None,
    "sleep-long": None,
    "split": None,
    "fetch": None,
    "tls-fetch": None,
    "file": None,
    "hash": True,
    "checksum": True,
    "cpu": True,
    "cpu-nogil": False,
}
KINDS: Final = tuple(HOLDS_GIL)
ENVIRONMENT: Final = (
    "HEADRACE_TASKS"  #: the folder for counters, files and the certificate; its file URLS says where to
)
_SLOT = struct.Struct("=q")
_LOOPS, _ITERATIONS = 150_000, 20_000
_BLOCK = b"headrace" * 128


class Counter:
    """How many tasks this process has finished, where others can read it. Made anew in a child."""

    def __init__(self, folder: Path) -> None:
        self._lock, self._finished, self.pid = threading.Lock(), 0, os.getpid()
        descriptor = os.open(folder / f"{self.pid}.count", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.truncate(descriptor, _SLOT.size)
            self._shared = mmap.mmap(descriptor, _SLOT.size)
        finally:
            os.close(descriptor)

    def add(self) -> None:
        with self._lock:
            self._finished += 1
            _SLOT.pack_into(self._shared, 0, self._finished)


_counter: Counter | None = None
_counter_lock = threading.Lock()


def _count() -> None:
    """Counts a finished task, where somebody asked for it."""
    global _counter
    if _counter is None or _counter.pid != os.getpid():
        if ENVIRONMENT not in os.environ:
            return
        with _counter_lock:
            if _counter is None or _counter.pid != os.getpid():
                _counter = Counter(_folder())
    _counter.add()


def finished(folder: Path) -> int:
    """Tasks finished by all processes that count in ``folder``."""
    return sum(_SLOT.unpack(f.read_bytes())[0] for f in folder.glob("*.count") if f.stat().st_size == _SLOT.size)


def run(kind: str) -> str:
    """Does the task and counts it; blocks until it is finished. What it answers is the reply."""
    _SYNC[kind]()
    _count()
    return REPLY


async def run_async(kind: str) -> str:
    """The same for an event loop: ``split`` and the fetches await, everything else blocks the loop."""
    awaited = _ASYNC.get(kind)
    if awaited is None:
        return run(kind)
    await awaited()
    _count()
    return REPLY


def cost_s(kind: str, times: int = 9) -> float:
    """CPU seconds of one task on this machine, the least of ``times``; 0 for a kind that mostly waits."""
    if HOLDS_GIL[kind] is None:
        return 0.0
    least = float("inf")
    for _ in range(times):
        began = time.thread_time()
        _SYNC[kind]()
        least = min(least, time.thread_time() - began)
    return least


def arguments(description: str) -> argparse.Namespace:
    """The command line of every server that is measured: what to serve, where, and how."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--executor", default="thread", help="where the task runs")
    parser.add_argument("--task", choices=KINDS, default="sleep")
    parser.add_argument("--workers", type=int, default=4, help="threads or processes of the executor")
    parser.add_argument("--backlog", type=int, default=1024)
    parser.add_argument("--unawaited", action="store_true", help="reply when the task is queued: the seed's mistake")
    return parser.parse_args()


def _folder() -> Path:
    return Path(os.environ[ENVIRONMENT])


@functools.cache
def _url(kind: str) -> str:
    for line in (_folder() / "URLS").read_text().splitlines():
        name, _, url = line.partition(" ")
        if name == kind:
            return url
    raise LookupError(f"no address for {kind}")


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(_folder() / "cert.pem"))


def _sleep(steps: tuple[float, ...] = STEPS_S) -> None:
    for step in steps:
        time.sleep(step)


async def _split() -> None:
    for step in STEPS_S:
        await asyncio.sleep(step)


def _fetch(kind: str) -> None:
    with urllib.request.urlopen(_url(kind), timeout=10, context=_tls() if kind == "tls-fetch" else None) as answer:
        _expect(answer.read())


async def _fetch_async(kind: str) -> None:
    """By hand: the standard library has no HTTP client for event loops."""
    where = urlsplit(_url(kind))
    secure: dict[str, Any] = {"ssl": _tls(), "server_hostname": where.hostname} if kind == "tls-fetch" else {}
    reader, writer = await asyncio.open_connection(where.hostname, where.port, **secure)
    try:
        writer.write(f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n".encode())
        _expect((await reader.read()).rpartition(b"\r\n\r\n")[2])
    finally:
        writer.close()


def _expect(body: bytes) -> None:
    if body != b"later":
        raise RuntimeError(f"the local service answered {body!r}")


def _file() -> None:
    descriptor, name = tempfile.mkstemp(dir=os.environ.get(ENVIRONMENT))
    try:
        os.write(descriptor, os.urandom(FILE_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        os.unlink(name)


def _hash() -> None:
    hashlib.sha1(os.urandom(16) + _BLOCK, usedforsecurity=False).digest()


def _checksum() -> None:
    salt = os.urandom(16)
    digest = hashlib.sha1(salt + _BLOCK, usedforsecurity=False).digest()
    hmac.new(salt, digest + _BLOCK, "sha256").hexdigest()


def _cpu() -> None:
    total = 0
    for i in range(_LOOPS):
        total += i * i % 7


def _cpu_nogil() -> None:
    hashlib.pbkdf2_hmac("sha256", b"headrace", b"salt", _ITERATIONS)


_SYNC: Final[dict[str, Callable[[], None]]] = {
    "sleep": _sleep,
    "sleep-long": functools.partial(_sleep, LONG_STEPS_S),
    "split": _sleep,
    "fetch": functools.partial(_fetch, "fetch"),
    "tls-fetch": functools.partial(_fetch, "tls-fetch"),
    "file": _file,
    "hash": _hash,
    "checksum": _checksum,
    "cpu": _cpu,
    "cpu-nogil": _cpu_nogil,
}
_ASYNC: Final[dict[str, Callable[[], Any]]] = {
    "split": _split,
    "fetch": functools.partial(_fetch_async, "fetch"),
    "tls-fetch": functools.partial(_fetch_async, "tls-fetch"),
}
#: Kinds for which a coroutine awaits, so that one loop has many under way.
AWAITED: Final = tuple(_ASYNC)
