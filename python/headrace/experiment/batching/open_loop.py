"""Open loop: one task per request, started when the schedule says, whether or not earlier ones have completed.

Requests arrive in clumps, ``TICK_S`` apart: the intended time of a request is that of its clump. A timerfd wakes
the loop, because the timers of asyncio's own selector are rounded up to a millisecond. Latency runs from the
intended time; a loop that comes late has made its requests wait.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import struct
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from headrace.experiment.batching.loops import Tally

TICK_S: Final = 0.001
_LEAD_NS: Final = 20_000_000  #: before the first clump
_CLOCK_MONOTONIC, _TFD_NONBLOCK, _TFD_TIMER_ABSTIME = 1, 0o4000, 1

#: What a request awaits: its item in, (result, ns that the downstream needed for it) out.
Request = Callable[[int], Awaitable[tuple[Any, int]]]


async def open_loop(
    request: Request,
    steps: Iterable[tuple[float, float]],
    *,
    expected: Callable[[int], Any],
    tally: Tally | None = None,
    on_tick: Callable[[], None] | None = None,
    grace_s: float = 10.0,
) -> Tally:
    """Runs the steps (requests/s, seconds) and waits up to ``grace_s`` for what is then under way.

    ``tally.latency_ns`` is completion minus intended minus the downstream's time, ``response_ns`` with it.
    Requests that are not over by then stay unaccounted for.
    """
    tally, listed = tally or Tally(), list(steps)
    late: list[int] = []
    running: dict[int, asyncio.Task[None]] = {}
    clock = time.monotonic_ns
    response, latency = tally.response_ns.append, tally.latency_ns.append

    async def one(item: int, intended: int) -> None:
        try:
            got, downstream = await request(item)
            took = clock() - intended
            response(took)
            latency(took - downstream)
            if got == expected(item):
                tally.done += 1
            else:
                tally.wrong += 1
        except Exception as error:
            tally.fail(error)
        del running[item]

    create = asyncio.get_running_loop().create_task
    plan = clumps(listed, time.monotonic_ns() + _LEAD_NS)
    tally.begin()
    with _settled_heap(), _Ticker() as ticker:
        for due, first, count in plan:
            if clock() < due:
                await ticker.until(due)
            late.append(clock() - due)
            for item in range(first, first + count):
                running[item] = create(one(item, due))
            tally.items += count
            if on_tick is not None:
                on_tick()
        if running:
            await asyncio.wait(running.values(), timeout=grace_s)
    tally.finish()
    tally.start_ns = plan[0][0]
    tally.offered_rate = offered_rate(listed, float(np.median(late[-max(len(late) // 10, 1) :])) / 1e9)
    for task in running.values():
        task.cancel()
    return tally


@contextmanager
def _settled_heap() -> Iterator[None]:
    """What is there already is left out of garbage collections, which would otherwise look through all of it."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def clumps(steps: Iterable[tuple[float, float]], start_ns: int) -> list[tuple[int, int, int]]:
    """(due ns, number of the first item, how many) of every clump that is not empty."""
    out = []
    item, at = 0, 0.0
    for rate, seconds in steps:
        ticks, total = max(round(seconds / TICK_S), 1), round(rate * seconds)
        edges = np.floor(np.arange(ticks + 1) * total / ticks + 0.5).astype(int)
        for tick in range(ticks):
            count = int(edges[tick + 1] - edges[tick])
            if count:
                out.append((start_ns + int((at + tick * TICK_S) * 1e9), item, count))
                item += count
        at += seconds
    return out


def offered_rate(steps: Iterable[tuple[float, float]], lateness_s: float) -> float:
    """Items over the time that the schedule took, made longer by how late its last tenth was."""
    listed = list(steps)
    return sum(round(r * s) for r, s in listed) / (sum(s for _, s in listed) + max(lateness_s, 0.0))


class _Ticker:
    """Wakes a coroutine at absolute times of the monotonic clock."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._loop = asyncio.get_running_loop()
        self._due: asyncio.Future[None] | None = None

    async def until(self, at_ns: int) -> None:
        seconds, rest = divmod(at_ns, 1_000_000_000)
        when = struct.pack("=qqqq", 0, 0, seconds, rest)
        self._due = self._loop.create_future()
        self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, when, None)
        await self._due

    def _fired(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        if self._due is not None and not self._due.done():
            self._due.set_result(None)

    def __enter__(self) -> _Ticker:
        self._loop.add_reader(self._fd, self._fired)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
