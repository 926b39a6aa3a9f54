"""Calls in worker processes, which are fresh interpreters."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from headrace import _core
from headrace.errors import InvalidArgument
from headrace.exec.base import OnFull, at_exit, check_limits
from headrace.exec.stats import ProcessStats
from headrace.exec.wire import dumps

__all__ = ["ProcessExecutor"]

_R = TypeVar("_R")


class ProcessExecutor(_core.exec.ProcessPool, concurrent.futures.Executor):
    """A `concurrent.futures.Executor` of worker processes.

    Workers are fresh interpreters, started when calls wait for them. A worker that dies loses the call that it was at
    (`WorkerLost`), and no other; it is replaced. A call by a function that cannot be pickled by name (a lambda, one of
    ``__main__`` or of a notebook) sends the function by value, with cloudpickle, once as long as it stays the same.
    bytes, bytearrays and buffers (NumPy arrays) of 64 KiB and more travel in shared memory; a buffer is used there
    without a copy, as long as it is looked at.

    Args:
        max_workers: at most; None: one per usable core.
        initializer: called as ``initializer(*initargs)`` in each worker before its first call. A worker in which it
            raises ends; so does one that crashes on the way.
        teardown: called without arguments in each worker before it ends of its own accord.
        prestart: workers to start at once.
        deadline: seconds for every call, from submit to answer; None: no limit. `apply` takes one of its own. A worker
            whose call runs into it gets SIGTERM, and SIGKILL ``kill_grace_s`` later; the call fails with
            DeadlineExceeded at its deadline.
        max_queue_size: calls that may wait; one more waits for room (``on_full="wait"``), raises QueueFull
            (``"reject"``), or takes the place of the oldest, which fails with QueueFull (``"drop_oldest"``).
        window: calls that a worker may be sent ahead, as long as they are short; they are taken back when one turns out
            to be long and another worker is idle. 1: none.
        max_tasks_per_worker, max_memory: calls, and resident bytes, after which a worker is replaced; 0: never.
        start_timeout_s: for a worker to get ready.
        kill_grace_s, stop_grace_s: from SIGTERM to SIGKILL, and for a worker to end after shutdown.
        breaker_failures, breaker_reset_s: after so many workers in a row that did not get ready, calls that wait fail
            with WorkerLost, and so do new ones for so many seconds; then one worker is tried.
        name: for error messages.

    The first Ctrl-C goes to the program that waits; workers do not see it.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        teardown: Callable[[], object] | None = None,
        prestart: int = 0,
        deadline: float | None = None,
        max_queue_size: int = 100_000,
        on_full: OnFull = "wait",
        window: int = 8,
        max_tasks_per_worker: int = 0,
        max_memory: int = 0,
        start_timeout_s: float = 60.0,
        kill_grace_s: float = 1.0,
        stop_grace_s: float = 5.0,
        breaker_failures: int = 3,
        breaker_reset_s: float = 5.0,
        name: str = "process executor",
    ) -> None:
        check_limits(
            name,
            on_full,
            ("wait", "reject", "drop_oldest"),
            deadline,
            max_workers=1 if max_workers is None else max_workers,
            max_queue_size=max_queue_size,
            window=window,
            breaker_failures=breaker_failures,
        )
        for hook in (initializer, teardown):
            if hook is not None and not callable(hook):
                raise TypeError(f"{name}: {hook!r} is not callable")
        hooks = {"initializer": initializer, "initargs": tuple(initargs), "teardown": teardown}
        self._name = name
        super().__init__(
            {
                "command": _command(),
                "environment": [b"=".join(pair) for pair in os.environb.items()],
                "hello": {"path": list(sys.path), "argv": list(sys.argv), "hooks": dumps(hooks)},
                "name": name,
                "max_workers": len(os.sched_getaffinity(0)) if max_workers is None else max_workers,
                "prestart": prestart,
                "deadline": deadline,
                "max_queue_size": max_queue_size,
                "on_full": on_full,
                "window": window,
                "max_tasks_per_worker": max_tasks_per_worker,
                "max_memory": max_memory,
                "start_timeout_s": start_timeout_s,
                "kill_grace_s": kill_grace_s,
                "stop_grace_s": stop_grace_s,
                "breaker_failures": breaker_failures,
                "breaker_reset_s": breaker_reset_s,
            }
        )
        at_exit(self)

    def map(
        self, fn: Callable[..., _R], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[_R]:
        """`concurrent.futures.Executor.map`; with ``chunksize`` so many calls travel as one."""
        if chunksize < 1:
            raise ValueError("chunksize must be at least 1")
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout)
        chunks = _chunks(zip(*iterables, strict=False), chunksize)
        return itertools.chain.from_iterable(super().map(_call_each, itertools.repeat(fn), chunks, timeout=timeout))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; what waits runs, or with ``cancel_futures`` is cancelled. ``wait``: until all ended."""
        self._close(cancel_futures)
        if wait:
            self._wait_closed(None)

    def kill_workers(self) -> None:
        """Take no more calls and kill every worker now: what runs fails with WorkerLost, what waits is cancelled."""
        self._kill()
        self._wait_closed(None)

    def stats(self) -> ProcessStats:
        """Counters so far."""
        return ProcessStats(**self._stats())

    def __repr__(self) -> str:
        if self.closed:
            return f"<headrace.exec.ProcessExecutor {self._name!r} shut down>"
        now = self.stats()
        return (
            f"<headrace.exec.ProcessExecutor {self._name!r} {now.workers} workers, "
            f"{now.running} calls running, {now.waiting} waiting>"
        )


def _command() -> list[str]:
    if not sys.executable:
        raise InvalidArgument("process executor: this interpreter does not know its own program (sys.executable)")
    # The path first: headrace itself may be on it only because the program put it there.
    start = f"import sys; sys.path[:] = {sys.path!r}; from headrace.exec.worker import main; main()"
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags, "-c", start]


def _chunks(items: Iterable[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _call_each(fn: Callable[..., _R], arguments: list[tuple[Any, ...]]) -> list[_R]:
    return [fn(*each) for each in arguments]
