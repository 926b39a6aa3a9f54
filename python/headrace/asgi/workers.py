"""Several processes that serve one application on one port, and the process that looks after them.

The supervisor holds the port (bound, not listening, with SO_REUSEPORT) and starts fresh interpreters; each listens for
itself and the kernel spreads connections. A worker that ends by itself is replaced, with growing pauses; one that ends
again and again ends all. A worker whose supervisor is gone notices on its standard input and stops.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from headrace.errors import ConnectionFailed, InvalidArgument, WorkerLost

logger = logging.getLogger("headrace.asgi")

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
STEADY_S = 30.0  # a worker that served this long has not failed to start
MOST_FAILURES = 5  # in a row, of all workers
EXIT_NOT_STARTED = 3
SLICE_S = 0.05
AT_EXIT_S = 5.0  # beyond the grace, before a worker is killed


class Worker:
    """One process. Its last line of standard output tells that it serves."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.started = time.monotonic()
        self.ready = False
        self.process = subprocess.Popen(
            [sys.executable, "-m", "headrace.asgi.workers", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Supervisor:
    """Keeps ``count`` workers running until `stop` is set."""

    def __init__(self, settings: dict[str, Any], count: int, grace_s: float, on_ready: Callable[[], object]) -> None:
        self._settings = settings
        self._count = count
        self._grace_s = grace_s
        self._on_ready: Callable[[], object] | None = on_ready
        self._workers: list[Worker] = []
        self._failures = 0
        self._next_start = 0.0
        self.stop = threading.Event()

    def run(self) -> None:
        """Returns after `stop`, with every worker ended. Raises WorkerLost."""
        with selectors.DefaultSelector() as pipes:
            try:
                while not self.stop.is_set():
                    self._start_missing(pipes)
                    self._listen(pipes)
                    self._bury(pipes)
            finally:
                self._end()

    def _start_missing(self, pipes: selectors.BaseSelector) -> None:
        while len(self._workers) < self._count and time.monotonic() >= self._next_start:
            worker = Worker(self._settings)
            self._workers.append(worker)
            assert worker.process.stdout is not None
            pipes.register(worker.process.stdout, selectors.EVENT_READ, worker)

    def _listen(self, pipes: selectors.BaseSelector) -> None:
        for key, _ in pipes.select(SLICE_S):
            worker: Worker = key.data
            file: IO[bytes] = key.fileobj  # type: ignore[assignment]
            if not os.read(file.fileno(), 4096):
                pipes.unregister(file)
            else:
                worker.ready = True
        if self._on_ready is not None and sum(w.ready for w in self._workers) == self._count:
            self._on_ready()
            self._on_ready = None

    def _bury(self, pipes: selectors.BaseSelector) -> None:
        for worker in [w for w in self._workers if w.process.poll() is not None]:
            self._workers.remove(worker)
            if worker.process.stdout is not None and worker.process.stdout in pipes.get_map():
                pipes.unregister(worker.process.stdout)
            worker.close()
            code = worker.process.returncode
            if code == EXIT_NOT_STARTED and self._on_ready is not None:
                raise WorkerLost("the application did not start; its worker's message says why")
            steady = worker.ready and time.monotonic() - worker.started >= STEADY_S
            self._failures = 1 if steady else self._failures + 1
            if self._failures > MOST_FAILURES:
                raise WorkerLost(f"workers end again and again, the last with exit code {code}")
            pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._failures - 1))
            self._next_start = time.monotonic() + pause
            logger.error("worker %d ended with exit code %d; another one in %.1f s", worker.process.pid, code, pause)

    def _end(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        deadline = time.monotonic() + self._grace_s + AT_EXIT_S
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("worker %d did not end; killed", worker.process.pid)
                worker.process.kill()
                worker.process.wait()
            worker.close()


def supervise(
    target: str,
    host: str,
    port: int,
    workers: int,
    grace_s: float,
    on_ready: Callable[[str], object] | None,
    options: dict[str, Any],
) -> None:
    """`headrace.asgi.serve` with several workers."""
    from headrace.asgi.serving import stop_signals

    holder = _hold_port(host, port)
    try:
        bound = int(holder.getsockname()[1])
        settings = {"target": target, "host": host, "port": bound, "grace_s": grace_s, "share_port": True, **options}
        _check(settings)
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        url = f"{'https' if options.get('cert_file') else 'http'}://{f'[{shown}]' if ':' in shown else shown}:{bound}"
        with stop_signals() as stopped:
            supervisor = Supervisor(settings, workers, grace_s, lambda: on_ready(url) if on_ready else None)
            supervisor.stop = stopped
            supervisor.run()
    finally:
        holder.close()


def _hold_port(host: str, port: int) -> socket.socket:
    """A socket that others can share the port of, when nobody else has it."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
        holder = socket.socket(family, kind, protocol)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
    except OSError as error:
        raise ConnectionFailed(f"cannot bind {host}:{port}: {error.strerror}") from None
    return holder


def _check(settings: dict[str, Any]) -> None:
    try:
        json.dumps(settings)
    except TypeError as error:
        raise InvalidArgument(f"several workers take plain settings only: {error}") from None


def _work(settings: dict[str, Any]) -> int:
    """The life of one worker."""
    from headrace.asgi.server import Server
    from headrace.asgi.serving import stop_signals

    told = os.dup(1)
    os.dup2(2, 1)  # what the application prints must not look like our line
    grace_s = settings.pop("grace_s")
    with stop_signals() as stopped:

        def watch_supervisor() -> None:
            while os.read(0, 4096):
                pass
            stopped.set()

        threading.Thread(target=watch_supervisor, daemon=True).start()
        try:
            server = Server(settings.pop("target"), **settings)
            server.start()
        except Exception as error:
            logging.getLogger("headrace.asgi").debug("the worker did not start", exc_info=True)
            print(f"headrace: {error}", file=sys.stderr)
            return EXIT_NOT_STARTED
        os.write(told, b"ready\n")
        os.close(told)
        stopped.wait()
        server.stop(grace_s)
    return 0


if __name__ == "__main__":
    from headrace.cli import guard

    sys.exit(guard(lambda: _work(json.loads(sys.argv[1]))))
