"""The child processes of one case: started together, listened to, stopped together.

Threads:  one thread; start from one that outlives the fleet (children are killed with the thread that started
them). Lifetime: leaving the ``with`` block kills and reaps whatever still runs. Errors:   what children
report is in ``problems``; InvalidArgument when the machine cannot have so many.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from headrace._interrupt import Interrupt
from headrace.errors import InvalidArgument
from headrace.experiment.flow import Totals
from headrace.servers.launch import tied
from headrace.servers.usage import Usage, process_usage

POLL_S = 0.05  #: how long the runner waits for the children's next word
_TAIL_LINES = 5
_SPARE_FILES = 128


@dataclass(frozen=True)
class Program:
    """One ProduceProgram or ConsumeProgram to run in a child."""

    kind: str  #: "produce" or "consume", or what another kind of child calls it
    args: dict[str, Any]


@dataclass
class Child:
    """One process and what it last said."""

    label: str
    programs: Sequence[Program]
    process: subprocess.Popen[bytes]
    errors_file: Path
    ready: bool = False
    gone: bool = False  #: the process has ended and was reaped
    done: bool = False  #: it said goodbye properly
    stats: list[dict[str, Any]] = field(default_factory=list)
    finished: list[bool] = field(default_factory=list)
    usage: Usage = field(default_factory=lambda: Usage(0.0, 0))
    held: bytes = b""

    def kind_done(self, kind: str) -> bool:
        if self.gone or not any(p.kind == kind for p in self.programs):
            return True
        pairs = zip(self.programs, self.finished, strict=False)
        return bool(self.finished) and all(over for p, over in pairs if p.kind == kind)


class Fleet:
    """Starts one child per entry of ``plans`` (a label and its programs).

    ``module`` is where children find their programs; ``child`` is what they are: a module that is run and
    speaks as ``headrace.experiment.child`` does.
    """

    def __init__(
        self,
        plans: Sequence[tuple[str, Sequence[Program]]],
        *,
        module: str,
        interval_s: float,
        child: str = "headrace.experiment.child",
    ) -> None:
        self.problems: list[str] = []
        self._module, self._interval_s, self._child = module, interval_s, child
        self._selector = selectors.DefaultSelector()
        self._stack = contextlib.ExitStack()
        self._children: list[Child] = []
        _allow_open_files(2 * len(plans) + _SPARE_FILES)
        self._scratch = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-run-")))
        try:
            for label, programs in plans:
                self._start(label, programs)
        except BaseException:
            self.__exit__()
            raise

    @property
    def size(self) -> int:
        """Number of children."""
        return len(self._children)

    @property
    def all_ready(self) -> bool:
        return all(child.ready for child in self._children)

    @property
    def all_gone(self) -> bool:
        return all(child.gone for child in self._children)

    def kind_done(self, kind: str) -> bool:
        """Whether every program of ``kind`` has finished, one way or another."""
        return all(child.kind_done(kind) for child in self._children)

    def poll(self, timeout: float) -> None:
        """Takes in what children have said; waits up to ``timeout`` seconds for the first word."""
        for key, _ in self._selector.select(timeout):
            self._read(key.data)

    def await_ready(self, interrupt: Interrupt, timeout: float) -> list[str]:
        """Waits until every child is ready; otherwise says why not, unless that is in ``problems`` already."""
        deadline = time.monotonic() + timeout
        while not self.all_ready:
            self.poll(POLL_S)
            if interrupt.requested:
                return ["interrupted"]
            if self.problems:
                self.poll(POLL_S)  # more may be about to say the same
                return []
            if time.monotonic() > deadline:
                return [f"the programs were not connected after {timeout:g} s"]
        return []

    def start(self, at_ns: int) -> None:
        """Everybody begins at monotonic time ``at_ns``."""
        self._tell({"do": "start", "at_ns": at_ns})

    def stop(self, kind: str | None = None) -> None:
        """Asks the programs of ``kind``, or all, to finish what they have in hand."""
        self._tell({"do": "stop", "kind": kind})

    def finish(self, timeout: float) -> None:
        """Waits until every child has said goodbye and ended; after ``timeout`` seconds it is killed."""
        deadline = time.monotonic() + timeout
        while not self.all_gone and time.monotonic() < deadline:
            self.poll(0.05)
        late = [child.label for child in self._children if not child.gone]
        if late:
            self.problems.append(f"{', '.join(late)} did not end within {timeout:g} s and was killed")
            self.kill()

    def kill(self) -> None:
        """SIGKILL to everybody left."""
        for child in self._children:
            if not child.gone:
                child.done = True  # its end is no surprise
                child.process.kill()

    def totals(self) -> Totals:
        """Sums of the counters over all programs."""
        names = Totals.__dataclass_fields__
        return Totals(**{name: int(sum(s.get(name, 0) for _, s in self.stats())) for name in names})

    def stats(self) -> Iterator[tuple[Program, dict[str, Any]]]:
        """Each program that has said something, with its latest statistics."""
        for child in self._children:
            yield from zip(child.programs, child.stats, strict=False)

    def usage(self) -> Usage:
        """CPU seconds (of those that ended: as last seen) and resident bytes of all children."""
        for child in self._children:
            if not child.gone:
                child.usage = process_usage(child.process.pid) or child.usage
        cpu = sum(child.usage.cpu_seconds for child in self._children)
        return Usage(cpu, sum(child.usage.memory_bytes for child in self._children if not child.gone))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        for child in self._children:
            self._reap(child)
        self._selector.close()
        self._stack.close()

    def _start(self, label: str, programs: Sequence[Program]) -> None:
        errors_file = self._scratch / f"{len(self._children)}.err"
        argv = tied([sys.executable, "-m", self._child])
        with errors_file.open("wb") as stderr:
            # A process group of its own: Ctrl-C in the terminal reaches the runner only.
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, process_group=0, bufsize=0
            )
        child = Child(label, programs, process, errors_file)
        self._children.append(child)
        assert process.stdout is not None
        self._selector.register(process.stdout, selectors.EVENT_READ, child)
        listed = [{"kind": p.kind, "args": p.args} for p in programs]
        self._send(child, {"programs": listed, "module": self._module, "interval_s": self._interval_s})

    def _tell(self, message: dict[str, Any]) -> None:
        for child in self._children:
            if not child.gone:
                self._send(child, message)

    @staticmethod
    def _send(child: Child, message: dict[str, Any]) -> None:
        assert child.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died; reading its output will tell
            child.process.stdin.write(json.dumps(message).encode() + b"\n")

    def _read(self, child: Child) -> None:
        assert child.process.stdout is not None
        data = os.read(child.process.stdout.fileno(), 1 << 16)
        if not data:
            self._reap(child)
            return
        *lines, child.held = (child.held + data).split(b"\n")
        for line in lines:
            self._hear(child, json.loads(line))

    def _hear(self, child: Child, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "ready":
            child.ready = True
        elif event == "progress":
            child.stats, child.finished = message["stats"], message["finished"]
        elif event == "failed":
            child.done = True
            self.problems.append(f"{child.label}: {message['error']}")
        elif event == "done":
            child.done = True
            child.stats, child.finished = message["stats"], [True] * len(child.programs)
            self.problems += [f"{child.label}: {error}" for error in message["errors"] if error]

    def _reap(self, child: Child) -> None:
        if child.gone:
            return
        assert child.process.stdout is not None
        assert child.process.stdin is not None
        self._selector.unregister(child.process.stdout)
        child.process.stdout.close()
        child.process.stdin.close()
        try:
            status = child.process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:  # it closed its output and hangs
            child.process.kill()
            status = child.process.wait()
        child.gone = True
        if not child.done:
            self.problems.append(f"{child.label} {_ending(status)}{_tail(child.errors_file)}")


def _ending(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended early with status {status}"


def _tail(path: Path) -> str:
    with contextlib.suppress(OSError):
        lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
        if lines:
            return ": " + " | ".join(lines[-_TAIL_LINES:])
    return ""


def _allow_open_files(needed: int) -> None:
    """Raises our own soft limit where it would not do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise InvalidArgument(f"the case needs {needed} open files, the limit is {hard} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
