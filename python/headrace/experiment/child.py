"""One producer or consumer process: ``python -m headrace.experiment.child``, led by its standard input.

A line of JSON is a message. To the child: first ``{"programs": [{"kind", "args"}, ...], "module",
"interval_s"}``, later ``{"do": "start", "at_ns"}`` and ``{"do": "stop", "kind"}``. From the child:
``{"event": "ready"}``, then ``{"event": "progress", "now_ns", "stats", "finished"}`` whenever something
changed, last ``{"event": "done", "stats", "errors"}``, or ``{"event": "failed", "error"}`` when it could not
begin. Lists hold one entry for each program.

A shape such as 4x25-4x25 is 200 of these on one machine, so this file imports little and wakes up rarely.
End of file on standard input means that the runner is gone: the programs stop, and so do we.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import sys
import time
from typing import Any

_STOP_TIMEOUT_S = 1.0


class RunnerGone(Exception):
    """Standard input ended."""


class Pipe:
    """Lines of JSON on two file descriptors."""

    def __init__(self, inward: int, outward: int) -> None:
        self._in, self._out, self._held = inward, outward, b""

    def send(self, **message: Any) -> None:
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        while data:
            data = data[os.write(self._out, data) :]

    def receive(self, timeout: float | None) -> dict[str, Any] | None:
        """The next message, or None when none came within ``timeout`` seconds (None: wait for it)."""
        while b"\n" not in self._held:
            if not select.select([self._in], [], [], timeout)[0]:
                return None
            chunk = os.read(self._in, 65536)
            if not chunk:
                raise RunnerGone
            self._held += chunk
        line, _, self._held = self._held.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message


class _Programs:
    """The producers and consumers of this process."""

    def __init__(self, config: dict[str, Any]) -> None:
        module = importlib.import_module(config["module"])
        classes = {"produce": module.ProduceProgram, "consume": module.ConsumeProgram}
        self._kinds = [p["kind"] for p in config["programs"]]
        self._all = [classes[p["kind"]](**_arguments(p["args"])) for p in config["programs"]]

    def connect(self) -> None:
        for program in self._in_order():
            program.connect()

    def start(self, at_ns: int) -> None:
        for program in self._in_order():
            program.start(at_ns)

    def stop(self, kind: str | None = None) -> None:
        for name, program in zip(self._kinds, self._all, strict=True):
            if kind in (None, name):
                program.stop()

    def finished(self) -> list[bool]:
        return [bool(program.wait(0.0)) for program in self._all]

    def stats(self) -> list[dict[str, Any]]:
        return [program.stats() for program in self._all]

    def close(self) -> list[str | None]:
        return [_closing_error(program) for program in self._all]

    def _in_order(self) -> list[Any]:
        """Consumers first: their group exists before the first message does."""
        pairs = zip(self._kinds, self._all, strict=True)
        return [program for _, program in sorted(pairs, key=lambda pair: pair[0] != "consume")]


def _arguments(args: dict[str, Any]) -> dict[str, Any]:
    anchor = args.get("anchor")
    return {**args, "anchor": (anchor[0], anchor[1])} if anchor else args


def _closing_error(program: Any) -> str | None:
    try:
        program.close()
    except Exception as error:
        return one_line(error)
    return None


def one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    from headrace.errors import HeadraceError

    return text if isinstance(error, HeadraceError) and text else f"{type(error).__name__}: {text}"


def _watch(pipe: Pipe, programs: _Programs, interval_s: float) -> None:
    """Reports until every program has finished; a request to stop is passed on."""
    last: Any = None
    while True:
        message = pipe.receive(interval_s)
        if message and message["do"] == "stop":
            programs.stop(message.get("kind"))
        finished, stats = programs.finished(), programs.stats()
        if all(finished):
            return
        if (stats, finished) != last:
            pipe.send(event="progress", now_ns=time.monotonic_ns(), stats=stats, finished=finished)
            last = (stats, finished)


def serve(pipe: Pipe) -> int:
    """The life of a child: connect, wait for the start, report, close. Returns the exit status."""
    config = pipe.receive(None)
    assert config is not None
    try:
        programs = _Programs(config)
        programs.connect()
    except Exception as error:
        pipe.send(event="failed", error=one_line(error))
        return 1
    pipe.send(event="ready", pid=os.getpid())
    try:
        order = pipe.receive(None)
        if order and order["do"] == "start":
            programs.start(order["at_ns"])
            _watch(pipe, programs, config["interval_s"])
    except (RunnerGone, BrokenPipeError):
        programs.stop()
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while not all(programs.finished()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return 1
    stats = programs.stats()
    errors = programs.close()
    pipe.send(event="done", now_ns=time.monotonic_ns(), stats=stats, errors=errors)
    return 1 if any(errors) else 0


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runner, which tells us to stop
    # Answers go to the original standard output; whatever a library prints there goes to standard error.
    outward = os.dup(1)
    os.dup2(2, 1)
    try:
        return serve(Pipe(0, outward))
    except (RunnerGone, BrokenPipeError):
        return 1


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # nothing is left to run; skipping interpreter teardown matters with hundreds of us
