"""Calls in worker threads."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Callable
from typing import Any

from headrace import _core
from headrace.exec.base import OnFull, at_exit, check_limits
from headrace.exec.stats import ThreadStats

__all__ = ["ThreadExecutor"]


class ThreadExecutor(_core.exec.ThreadPool, concurrent.futures.Executor):
    """A `concurrent.futures.Executor` of threads, for work that waits or releases the GIL.

    Args:
        max_workers: threads at most; None: as many as the standard library takes, usable cores + 4, 32 at most.
        initializer: called as ``initializer(*initargs)`` in each thread before its first call; what it raises, every
            call of that thread raises.
        deadline: seconds in which every call must have begun; None: no limit. `apply` takes one of its own. One that
            has not begun by then fails with DeadlineExceeded; one that runs goes on: a thread cannot be stopped.
        max_queue_size: calls that may wait; one more waits for room (``on_full="wait"``) or raises QueueFull
            (``"reject"``).
        name: of the threads, with a number, and in error messages.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        deadline: float | None = None,
        max_queue_size: int = 100_000,
        on_full: OnFull = "wait",
        name: str = "thread executor",
    ) -> None:
        workers = min(32, len(os.sched_getaffinity(0)) + 4) if max_workers is None else max_workers
        check_limits(name, on_full, ("wait", "reject"), deadline, max_workers=workers, max_queue_size=max_queue_size)
        if initializer is not None and not callable(initializer):
            raise TypeError(f"{name}: {initializer!r} is not callable")
        self._name = name
        super().__init__(
            {
                "max_workers": workers,
                "set_up": None if initializer is None else lambda: initializer(*initargs),
                "deadline": deadline,
                "max_queue_size": max_queue_size,
                "on_full": on_full,
                "name": name,
            }
        )
        at_exit(self)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; what waits runs, or with ``cancel_futures`` is cancelled. ``wait``: until all ended."""
        self._close(cancel_futures)
        if wait:
            self._wait_closed(None)

    def stats(self) -> ThreadStats:
        """Counters so far."""
        return ThreadStats(**self._stats())

    def __repr__(self) -> str:
        if self.closed:
            return f"<headrace.exec.ThreadExecutor {self._name!r} shut down>"
        now = self.stats()
        return (
            f"<headrace.exec.ThreadExecutor {self._name!r} {now.threads} threads, "
            f"{now.running} calls running, {now.waiting} waiting>"
        )
