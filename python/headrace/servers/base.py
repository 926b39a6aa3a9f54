"""What every private server shares: a port, a folder, readiness, a way to die.

Threads:  one thread at a time; start from a thread that outlives the server (see launch.py).
Lifetime: stop() or leaving the ``with`` block ends the process and removes a folder that we made.
Errors:   NotFound (program not installed), BrokerError (did not become ready; with the end of its log).
"""

from __future__ import annotations

import abc
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar, Self

from headrace import errors
from headrace.servers.launch import find_binary, tied
from headrace.servers.usage import Usage, process_usage

_HOST = "127.0.0.1"
_PORT_ATTEMPTS = 5
_POLL_S = 0.01


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago (found by binding to port 0)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class PrivateServer(abc.ABC):
    """One server process on 127.0.0.1 with its own folder; subclasses say which program and how to greet it.

    ``start_timeout`` is in seconds, until the first good answer to the protocol's own first exchange: an open
    port is not readiness.
    """

    binary: ClassVar[str]  #: program name
    package: ClassVar[str]  #: Debian package that brings it

    def __init__(self, *, directory: str | os.PathLike[str] | None = None, start_timeout: float = 20.0) -> None:
        self._given_directory = Path(directory) if directory is not None else None
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: Path | None = None
        self._port = 0
        self._cpu_before = 0.0  # of processes that kill() or stop() ended

    # What a subclass provides.

    @property
    @abc.abstractmethod
    def url(self) -> str:
        """Where clients connect."""

    @abc.abstractmethod
    def _argv(self) -> list[str]:
        """The command line after the program's path; may write configuration into ``directory``."""

    @abc.abstractmethod
    def _greet(self) -> bool:
        """Makes the protocol's first exchange; False or OSError means "not yet"."""

    @abc.abstractmethod
    def config(self) -> dict[str, Any]:
        """Name, version and the settings that matter for a measurement, as the running server states them."""

    # What users call.

    @property
    def host(self) -> str:
        return _HOST

    @property
    def port(self) -> int:
        return self._port

    @property
    def directory(self) -> Path:
        """Where the server keeps its data and its log. Raises Closed before start()."""
        if self._directory is None:
            raise errors.Closed(f"{type(self).__name__} has not been started")
        return self._directory

    @property
    def pid(self) -> int:
        """Process id. Raises Closed when the server is not running."""
        if self._process is None:
            raise errors.Closed(f"{type(self).__name__} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the server and returns once it answers. A running server is left alone."""
        if self.running:
            return
        program = find_binary(self.binary, self.package)
        self._make_directory()
        attempts = 1 if self._port else _PORT_ATTEMPTS
        for attempt in range(1, attempts + 1):
            self._port = self._port or free_port()
            self._spawn(program)
            try:
                self._wait_ready()
            except errors.BrokerError:
                self.kill()
                if attempt == attempts or "in use" not in self.log_tail():
                    self._remove_directory()
                    raise
                self._port = 0  # somebody took the port between our look and the bind
            else:
                return

    def stop(self, timeout: float = 10.0) -> None:
        """Ends the server politely, by SIGKILL after ``timeout`` seconds; removes the folder that we made."""
        self._end(kill=False, timeout=timeout)
        self._remove_directory()

    def kill(self) -> None:
        """SIGKILL, as a crash would; port and data stay for restart()."""
        self._end(kill=True, timeout=10.0)

    def restart(self) -> None:
        """Starts again on the same port and data, after kill() or in place of a running server."""
        self._end(kill=False, timeout=10.0)
        self.start()

    def usage(self) -> Usage:
        """CPU seconds and resident bytes; the last known CPU and 0 bytes when it is not running."""
        return Usage(self.cpu_seconds(), self.memory_bytes())

    def cpu_seconds(self) -> float:
        """User and system CPU seconds, summed over restarts."""
        seen = process_usage(self._process.pid) if self._process else None
        return self._cpu_before + (seen.cpu_seconds if seen else 0.0)

    def memory_bytes(self) -> int:
        """Resident memory; 0 when it is not running."""
        seen = process_usage(self._process.pid) if self._process else None
        return seen.memory_bytes if seen else 0

    def log_tail(self, lines: int = 15) -> str:
        """The end of the server's log."""
        with contextlib.suppress(OSError, errors.Closed):
            text = (self.directory / "server.log").read_text(errors="replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"pid {self.pid}" if self.running else "not running"
        return f"<{type(self).__name__} {self.url if self._port else 'never started'}, {state}>"

    # Inside.

    def _make_directory(self) -> None:
        if self._directory is not None:
            return
        if self._given_directory is not None:
            self._given_directory.mkdir(parents=True, exist_ok=True)
            self._directory = self._given_directory.resolve()
        else:
            self._directory = Path(tempfile.mkdtemp(prefix=f"headrace-{self.binary}-"))

    def _remove_directory(self) -> None:
        if self._directory is not None and self._given_directory is None:
            shutil.rmtree(self._directory, ignore_errors=True)
        self._directory = None
        self._port = 0

    def _spawn(self, program: str) -> None:
        argv = tied([program, *self._argv()])
        with open(self.directory / "server.log", "ab") as log:
            # Its own process group: a Ctrl-C in the terminal is for us, and we stop the server when it suits.
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory, process_group=0
            )

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._start_timeout
        while time.monotonic() < deadline:
            status = self._process.poll()
            if status is not None:
                raise errors.BrokerError(f"{self.binary} ended with status {status} while starting:\n{self.log_tail()}")
            with contextlib.suppress(OSError):
                if self._greet():
                    return
            time.sleep(_POLL_S)
        raise errors.BrokerError(
            f"{self.binary} on port {self._port} was not ready after {self._start_timeout:g} s:\n" + self.log_tail()
        )

    def _end(self, *, kill: bool, timeout: float) -> None:
        process = self._process
        if process is None:
            return
        self._cpu_before = self.cpu_seconds()
        if kill:
            process.kill()
        else:
            process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None
