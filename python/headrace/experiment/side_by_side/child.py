"""One child program, timed from outside."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from headrace.servers.launch import find_binary, tied


class RunFailed(Exception):
    """A program failed or did not do what it claims; the text says which one and how."""


@dataclass(frozen=True)
class Finished:
    """How a child ended."""

    wall_s: float  #: from before its start until it was reaped
    cpu_s: float  #: user and system time of the whole process, start-up included
    output: Path  #: its standard output


class Child:
    """A running program with its standard output in a file; ``cpu`` pins it to one core."""

    def __init__(self, command: list[str], output: Path, *, cpu: int | None = None, timeout: float = 300.0) -> None:
        self._command = command
        self._timeout = timeout
        self._late = False
        self._output = output
        pin = [] if cpu is None else [find_binary("taskset", "util-linux"), "--cpu-list", str(cpu)]
        argv = tied([*pin, *command])
        self._begin = time.monotonic()
        with open(output, "wb") as out, open(output.with_suffix(".err"), "wb") as err:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        self._timer = threading.Timer(timeout, self._give_up)
        self._timer.start()

    def wait(self) -> Finished:
        """Reaps the child. Raises RunFailed with its last words when it did not exit 0."""
        try:
            _, status, usage = os.wait4(self._process.pid, 0)
        except BaseException:
            self.kill()
            raise
        wall = time.monotonic() - self._begin
        self._timer.cancel()
        code = self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._late:
            raise RunFailed(f"{shlex.join(self._command)} did not end within {self._timeout:g} s")
        if code != 0:
            words = self._output.with_suffix(".err").read_text(errors="replace").strip()[-500:]
            raise RunFailed(f"{shlex.join(self._command)} exited with {code}: {words or 'no message'}")
        return Finished(wall, usage.ru_utime + usage.ru_stime, self._output)

    def _give_up(self) -> None:
        self._late = True
        self._process.kill()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Ends a child that nobody waits for any more."""
        self._timer.cancel()
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
