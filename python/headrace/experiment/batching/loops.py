"""The loops that drive a batcher, the same for ours and for every rival: who differs brings only his ``call``.

Each returns a ``Tally``. Items are whole numbers; a result must equal what ``expected(item)`` says, which is the
item itself unless told otherwise. Nothing is measured per item in the closed loops but every ``TIMED``-th call:
two clock readings per call would cost as much as the call.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

TIMED: Final = 128


@dataclass
class Tally:
    """What a loop counted. Times are ns of the monotonic clock, CPU is seconds of the whole process."""

    items: int = 0
    done: int = 0
    wrong: int = 0
    failed: int = 0
    rejected: int = 0
    first_error: str | None = None
    start_ns: int = 0
    end_ns: int = 0
    cpu_s: float = 0.0
    response_ns: list[int] = field(default_factory=list)  #: start to completion, where it was timed
    latency_ns: list[int] = field(default_factory=list)  #: the same without the downstream's time
    offered_rate: float | None = None  #: of a schedule: items started over the time that starting them took

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9

    @property
    def rate(self) -> float:
        """Items that completed rightly, per second."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    def fail(self, error: BaseException) -> None:
        """Counts an item that ended with ``error``: refused by a full queue, or failed."""
        if type(error).__name__ == "QueueFull":
            self.rejected += 1
            return
        self.failed += 1
        if self.first_error is None:
            self.first_error = f"{type(error).__name__}: {error}"

    def count(self, items: int, wrong: int, took_ns: int) -> None:
        """Counts items that came back, and the time of the one that was timed."""
        self.items += items
        self.done += items - wrong
        self.wrong += wrong
        self.response_ns.append(took_ns)

    def begin(self) -> None:
        self.cpu_s = -time.process_time()
        self.start_ns = time.monotonic_ns()

    def finish(self) -> None:
        self.end_ns = time.monotonic_ns()
        self.cpu_s += time.process_time()


def same(item: int) -> Any:
    """What an identity function answers."""
    return item


Expected = Callable[[int], Any]
Call = Callable[[int], Awaitable[Any]]


async def closed(
    call: Call, items: int, callers: int, *, expected: Expected = same, tally: Tally | None = None
) -> Tally:
    """``callers`` coroutines, each awaiting ``call(item)`` one after the other, ``items`` in all."""
    tally = tally or Tally()
    bounds = [items * n // callers for n in range(callers + 1)]
    tally.begin()
    await asyncio.gather(*(_caller(call, range(a, b), expected, tally) for a, b in itertools.pairwise(bounds)))
    tally.finish()
    return tally


async def _caller(call: Call, items: Sequence[int], expected: Expected, tally: Tally) -> None:
    identity = expected is same
    for first in range(0, len(items), TIMED):
        chunk = items[first : first + TIMED]
        wrong = 0
        try:
            begin = time.monotonic_ns()
            got = await call(chunk[0])
            took = time.monotonic_ns() - begin
            wrong += got != expected(chunk[0])
            if identity:
                for item in chunk[1:]:
                    if await call(item) != item:
                        wrong += 1
            else:
                for item in chunk[1:]:
                    if await call(item) != expected(item):
                        wrong += 1
        except Exception as error:
            tally.fail(error)
            raise
        tally.count(len(chunk), wrong, took)


async def lookups(
    call: Callable[[Any], Awaitable[Any]],
    items: int,
    callers: int,
    keys: Sequence[Any],
    values: Sequence[Any],
    *,
    tally: Tally | None = None,
) -> Tally:
    """The same for lookups: item n asks for ``keys[n]``, in turn for ever, and must get ``values[n]``."""
    tally = tally or Tally()
    bounds = [items * n // callers for n in range(callers + 1)]
    tally.begin()
    await asyncio.gather(*(_looker(call, range(a, b), keys, values, tally) for a, b in itertools.pairwise(bounds)))
    tally.finish()
    return tally


async def _looker(
    call: Callable[[Any], Awaitable[Any]],
    items: Sequence[int],
    keys: Sequence[Any],
    values: Sequence[Any],
    tally: Tally,
) -> None:
    records = len(keys)
    for first in range(0, len(items), TIMED):
        chunk = items[first : first + TIMED]
        wrong = 0
        try:
            begin = time.monotonic_ns()
            got = await call(keys[chunk[0] % records])
            took = time.monotonic_ns() - begin
            wrong += got != values[chunk[0] % records]
            for item in chunk[1:]:
                record = item % records
                if await call(keys[record]) != values[record]:
                    wrong += 1
        except Exception as error:
            tally.fail(error)
            raise
        tally.count(len(chunk), wrong, took)


async def mapped(
    many: Callable[[Sequence[int]], Awaitable[Sequence[Any]]], items: int, size: int, *, tally: Tally | None = None
) -> Tally:
    """``many`` of ``size`` items at a time, one call after the other."""
    tally = tally or Tally()
    tally.begin()
    for first in range(0, items, size):
        asked = range(first, min(first + size, items))
        begin = time.monotonic_ns()
        got = await many(asked)
        tally.response_ns.append(time.monotonic_ns() - begin)
        right = len(asked) if list(got) == list(asked) else sum(a == b for a, b in zip(asked, got, strict=False))
        tally.items += len(asked)
        tally.done += right
        tally.wrong += len(asked) - right
    tally.finish()
    return tally


def threaded(
    call: Callable[[int], Any], items: int, threads: int, *, expected: Expected = same, tally: Tally | None = None
) -> Tally:
    """``threads`` threads, each with one blocking ``call(item)`` after the other."""
    tally = tally or Tally()
    gate, lock = threading.Event(), threading.Lock()
    share = items // threads

    def run(number: int) -> None:
        done = failed = 0
        took: list[int] = []
        gate.wait()
        for item in range(number * share, (number + 1) * share):
            begin = time.monotonic_ns()
            try:
                done += call(item) == expected(item)
            except Exception as error:
                failed += 1
                with lock:
                    tally.fail(error)
            took.append(time.monotonic_ns() - begin)
        with lock:
            tally.items += share
            tally.done += done
            tally.wrong += share - done - failed
            tally.response_ns += took

    crew = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in crew:
        thread.start()
    tally.begin()
    gate.set()
    for thread in crew:
        thread.join()
    tally.finish()
    return tally


def run(coroutine: Any, loop: str = "asyncio") -> Any:
    """``asyncio.run`` with the loop that was asked for."""
    if loop == "asyncio":
        return asyncio.run(coroutine)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


def figures(tally: Tally) -> dict[str, Any]:
    """The figures of a tally by name: rates per second, CPU per item and in cores, percentiles in us or ms."""
    names = ("items", "done", "wrong", "failed", "rejected", "first_error", "seconds", "rate", "offered_rate")
    found: dict[str, Any] = {name: getattr(tally, name) for name in names}
    found["cpu_cores"] = tally.cpu_s / tally.seconds if tally.seconds > 0 else None
    found["cpu_us"] = tally.cpu_s / tally.items * 1e6 if tally.items else None
    found |= {f"response_{k}_us": v * 1e3 for k, v in milliseconds(tally.response_ns).items()}
    return found | {f"latency_{k}_ms": v for k, v in milliseconds(tally.latency_ns).items()}


def say(tally: Tally, **more: Any) -> None:
    """Prints the figures as a line of JSON, which is what side_by_side.py reads."""
    print(json.dumps(figures(tally) | more))


def as_array(values: Iterable[int]) -> npt.NDArray[np.int64]:
    """Durations as numpy has them."""
    return np.fromiter(values, np.int64)


def milliseconds(values: Iterable[int]) -> dict[str, float]:
    """p50, p99, p99.9 and the largest of durations in ns, as ms."""
    sorted_ns = np.sort(as_array(values))
    if not len(sorted_ns):
        return {}
    ranks = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    found = {k: sorted_ns[max(int(np.ceil(s * len(sorted_ns))) - 1, 0)] / 1e6 for k, s in ranks.items()}
    return {k: float(v) for k, v in found.items()}
