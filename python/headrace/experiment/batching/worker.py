"""The process of one batching case: ``python -m headrace.experiment.batching.worker``, led by its standard input.

It speaks as ``headrace.experiment.child`` does: a line of JSON is a message, first the configuration, then ``start``,
perhaps ``stop``; end of file means that the runner is gone. The workload has the main thread and the interpreter to
itself: a second thread listens, reports counters twice a second, and interrupts when it is told to stop.
"""

from __future__ import annotations

import _thread
import importlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from headrace.experiment.batching.control import Control
from headrace.experiment.child import Pipe, RunnerGone, one_line


class _Listener(threading.Thread):
    """Reports and listens until ``finish()``; a stop interrupts the main thread once."""

    def __init__(self, pipe: Pipe, control: Control, interval_s: float) -> None:
        super().__init__(daemon=True)
        self._pipe, self._control, self._interval_s = pipe, control, interval_s
        self._over = threading.Event()
        self.stopped = False

    def run(self) -> None:
        last: Any = None
        try:
            while not self._over.is_set():
                message = self._pipe.receive(self._interval_s)
                if message and message["do"] == "stop":
                    break
                said = stats(self._control)
                if said != last and not self._over.is_set():
                    self._pipe.send(event="progress", now_ns=time.monotonic_ns(), stats=[said], finished=[False])
                    last = said
            else:
                return
        except (RunnerGone, BrokenPipeError):
            pass
        self.stopped = True
        if not self._over.is_set():
            _thread.interrupt_main()

    def finish(self) -> None:
        """The workload is over: no interrupt any more."""
        self._over.set()
        self.join()


def stats(control: Control) -> dict[str, Any]:
    """Counters and gauges as the runner takes them."""
    return {**control.counts, "gauges": control.gauges()}


def serve(pipe: Pipe) -> int:
    """The life of a worker: prepare, wait for the start, run, record. Returns the exit status."""
    config = pipe.receive(None)
    assert config is not None
    (program,) = config["programs"]
    control = Control()
    try:
        module = importlib.import_module(config["module"])
        workload = module.WORKLOADS[program["kind"]](program["args"])
        with workload:
            pipe.send(event="ready", pid=os.getpid())
            order = pipe.receive(None)
            if not order or order["do"] != "start":
                return 1
            error = _run(pipe, workload, control, config["interval_s"])
    except RunnerGone:
        return 1
    except Exception as raised:
        pipe.send(event="failed", error=one_line(raised))
        return 1
    control.recording.save(Path(program["args"]["folder"]))
    pipe.send(event="done", now_ns=time.monotonic_ns(), stats=[stats(control)], errors=[error])
    return 1 if error else 0


def _run(pipe: Pipe, workload: Any, control: Control, interval_s: float) -> str | None:
    """Runs the workload; what went wrong, in one line. To be told to stop is nothing wrong."""
    listener = _Listener(pipe, control, interval_s)
    listener.start()
    try:
        workload.run(control)
    except KeyboardInterrupt:
        return None
    except Exception as raised:
        return one_line(raised)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # too late to stop anything
        listener.finish()
    return None


def main() -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    outward = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    try:
        return serve(Pipe(0, outward))
    except (RunnerGone, BrokenPipeError, KeyboardInterrupt):
        return 1


if __name__ == "__main__":
    sys.exit(main())
