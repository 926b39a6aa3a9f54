"""The server of one case: started, waited for, measured with all its processes, and ended, whatever it does.

Lifetime: leaving the block ends the server and everything that it started, those that ignore SIGTERM included.
Errors: ConnectionFailed with its last words when it does not come up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from headrace.errors import ConnectionFailed
from headrace.experiment.http import tasks
from headrace.servers.base import free_port
from headrace.servers.launch import tied

OURS: Final = "headrace"
_OURS_MODULE: Final = "headrace.experiment.http.app"
_READY_TIMEOUT_S: Final = 30.0
_STOP_GRACE_S: Final = 2.0


def command(settings: Mapping[str, Any], port: int) -> list[str]:
    """What starts the server of a case: our module, or the Python program that ``server`` names."""
    program = ["-m", _OURS_MODULE] if settings["server"] == OURS else [str(settings["server"])]
    options = [f"--{name}={settings[name]}" for name in ("executor", "task", "workers", "backlog")]
    unawaited = [] if settings["awaited"] else ["--unawaited"]
    return [sys.executable, *program, f"--port={port}", *options, *unawaited]


def await_listening(process: subprocess.Popen[Any], port: int, last_words: Callable[[], str]) -> None:
    """Until ``port`` accepts. Raises ConnectionFailed when the process ends before, or takes too long."""
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise ConnectionFailed(f"the server did not come up: {last_words() or 'it said nothing'}")


class ServerProcess:
    """A server in a process group of its own; ``folder`` is where its tasks count, see ``tasks``."""

    def __init__(self, settings: Mapping[str, Any], folder: Path) -> None:
        self.port = free_port()
        self._command = command(settings, self.port)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                tied(self._command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, tasks.ENVIRONMENT: str(self._folder)},
                process_group=0,
            )
        try:
            await_listening(self._process, self.port, self._last_words)
        except BaseException:
            self._end(self._process)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._end(self._process)

    def _last_words(self) -> str:
        return " | ".join((self._folder / "server.log").read_text(errors="replace").strip().splitlines()[-3:])

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_GRACE_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # workers that were left behind
        process.wait()


class Tree:
    """CPU and memory of a process and all its descendants; what has ended counts with what its parent was told."""

    def __init__(self, pid: int) -> None:
        import psutil

        self._root = psutil.Process(pid)

    def cpu_s(self) -> float:
        """User and system time so far."""
        return sum(sum(p.cpu_times()[:4]) if p is self._root else sum(p.cpu_times()[:2]) for p in self._alive())

    def pss(self) -> int:
        """Bytes: each page divided by the number of processes that share it (proportional set size)."""
        import psutil

        total = 0
        for process in self._alive():
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total

    def _alive(self) -> list[Any]:
        import psutil

        with contextlib.suppress(psutil.Error):
            return [self._root, *self._root.children(recursive=True)]
        return []
