"""Executors side by side: ours against the standard library's, loky's and pebble's.

    python experiments/http_executors/executors_bench.py [--rounds 5] [--json FILE] [--only process|thread|cpu]

Every rival gets the same calls in the same process, in turns, so that what else the machine does hits all of them; each
figure is the median over the rounds. `p50` is one call after another, from submit to result; `rate` keeps 64 calls in
flight and waits for the oldest. About a minute; exit status 1 when a bar of the table is missed.

The bound of what computes is workers over task time, and the task times itself: on virtual cores that share a real one,
or with other programs about, two tasks beside each other each take longer than one alone, whoever starts them.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import json
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from headrace.exec import ProcessExecutor, ThreadExecutor

WORKERS = 2
WINDOW = 64
SMALL = {"id": 12345, "name": "x" * 300, "values": list(range(12))}  # pickles to about 400 bytes
Submit = Callable[..., Any]


def noop() -> None:
    """Nothing."""


def echo(value: object) -> object:
    """The argument back."""
    return value


@contextmanager
def pebble_pool() -> Iterator[Submit]:
    """A pebble pool as a submit function."""
    import pebble

    with pebble.ProcessPool(max_workers=WORKERS) as pool:
        yield lambda function, *args: pool.schedule(function, args=args)


@contextmanager
def submitting(executor: Any) -> Iterator[Submit]:
    """Any concurrent.futures.Executor as a submit function."""
    with executor:
        yield executor.submit


def process_rivals() -> dict[str, Any]:
    """Name to a context manager that gives a submit function."""
    import loky

    return {
        "headrace": lambda: submitting(ProcessExecutor(WORKERS)),
        "ProcessPoolExecutor": lambda: submitting(concurrent.futures.ProcessPoolExecutor(WORKERS)),
        "loky": lambda: submitting(loky.ProcessPoolExecutor(WORKERS)),
        "pebble": pebble_pool,
    }


def thread_rivals() -> dict[str, Any]:
    """The same for threads."""
    return {
        "headrace": lambda: submitting(ThreadExecutor(WORKERS)),
        "ThreadPoolExecutor": lambda: submitting(concurrent.futures.ThreadPoolExecutor(WORKERS)),
    }


def latency_us(submit: Submit, calls: int, function: Callable[..., Any], *args: Any) -> float:
    """Median of one call after another, in microseconds."""
    times = []
    for _ in range(calls):
        begin = time.perf_counter()
        submit(function, *args).result()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e6


def rate(submit: Submit, seconds: float, function: Callable[..., Any], *args: Any) -> float:
    """Calls per second with WINDOW calls in flight."""
    waiting = deque(submit(function, *args) for _ in range(WINDOW))
    begin = time.perf_counter()
    done = 0
    while (now := time.perf_counter()) - begin < seconds:
        waiting.popleft().result()
        waiting.append(submit(function, *args))
        done += 1
    for future in waiting:
        future.result()
    return done / (now - begin)


def measure(rivals: dict[str, Any], figures: dict[str, Callable[[Submit], float]], rounds: int) -> dict[str, Any]:
    """Figure to rival to its median over the rounds."""
    seen: dict[str, dict[str, list[float]]] = {figure: {name: [] for name in rivals} for figure in figures}
    with ExitStack() as stack:
        pools = {name: stack.enter_context(make()) for name, make in rivals.items()}
        for submit in pools.values():  # all workers are there, and warm
            for future in [submit(echo, SMALL) for _ in range(200)]:
                future.result()
        for _ in range(rounds):
            for figure, measured in figures.items():
                for name, submit in pools.items():
                    seen[figure][name].append(measured(submit))
    return {figure: {name: statistics.median(v) for name, v in by.items()} for figure, by in seen.items()}


def process_figures() -> dict[str, Callable[[Submit], float]]:
    """What is measured of process pools."""
    ten_megabytes = bytes(10_000_000)
    return {
        "400 B, p50 us": functools.partial(_latency, 300, echo, SMALL),
        "400 B, calls/s": functools.partial(_rate, 0.4, echo, SMALL),
        "no-op, p50 us": functools.partial(_latency, 300, noop),
        "10 MB of bytes there and back, p50 ms": lambda s: latency_us(s, 10, echo, ten_megabytes) / 1000,
    }


def _latency(calls: int, function: Callable[..., Any], *rest: Any) -> float:
    *args, submit = rest
    return latency_us(submit, calls, function, *args)


def _rate(seconds: float, function: Callable[..., Any], *rest: Any) -> float:
    *args, submit = rest
    return rate(submit, seconds, function, *args)


def thread_figures() -> dict[str, Callable[[Submit], float]]:
    """What is measured of thread pools."""
    return {
        "no-op, calls/s": functools.partial(_rate, 0.4, noop),
        "no-op, p50 us": functools.partial(_latency, 2000, noop),
    }


def process_bars(table: dict[str, Any]) -> list[tuple[str, float, float, bool]]:
    """(what, figure, bar, whether it is reached)."""
    small, many = table["400 B, p50 us"], table["400 B, calls/s"]
    ten = table["10 MB of bytes there and back, p50 ms"]["headrace"]
    share = small["headrace"] / small["ProcessPoolExecutor"]
    against_stdlib = many["headrace"] / many["ProcessPoolExecutor"]
    against_pebble = many["headrace"] / many["pebble"]
    return [
        ("400 B p50, share of ProcessPoolExecutor's, at most", share, 0.40, share <= 0.40),
        ("400 B rate, times ProcessPoolExecutor's, at least", against_stdlib, 5.0, against_stdlib >= 5),
        ("400 B rate, times pebble's, at least", against_pebble, 3.0, against_pebble >= 3),
        ("10 MB p50 in ms, at most", ten, 2.3, ten <= 2.3),
    ]


def thread_bars(table: dict[str, Any]) -> list[tuple[str, float, float, bool]]:
    """The same for threads."""
    rates = table["no-op, calls/s"]
    times = rates["headrace"] / rates["ThreadPoolExecutor"]
    return [("no-op rate, times ThreadPoolExecutor's, at least", times, 2.0, times >= 2)]


def show(title: str, table: dict[str, Any], bars: list[tuple[str, float, float, bool]]) -> None:
    """Print one table and its bars."""
    names = list(next(iter(table.values())))
    print(f"\n{title:40}" + "".join(f"{name:>21}" for name in names))
    for figure, by in table.items():
        print(f"{figure:40}" + "".join(f"{by[name]:21,.2f}" for name in names))
    for what, value, bar, reached in bars:
        print(f"  {'reached' if reached else 'MISSED '}  {what}: {value:.2f} (bar {bar:g})")


def compute() -> float:
    """Some 10 ms of Python that holds the GIL; the seconds that it took."""
    begin = time.perf_counter()
    total = 0
    for n in range(200_000):
        total += n & 7
    return time.perf_counter() - begin


def computing(submit: Submit, calls: int) -> tuple[float, float]:
    """Calls of compute() per second, and the bound: workers over the mean time that a call took in its worker."""
    begin = time.perf_counter()
    waiting = deque(submit(compute) for _ in range(WINDOW))
    times = []
    for left in range(calls, 0, -1):
        times.append(waiting.popleft().result())
        if left > WINDOW:
            waiting.append(submit(compute))
    return calls / (time.perf_counter() - begin), WORKERS * calls / sum(times)


def measure_cpu(rounds: int) -> dict[str, Any]:
    """Rates and bounds of what computes; each rate has the bound of its own calls."""
    rivals: dict[str, Any] = {
        "headrace": lambda: submitting(ProcessExecutor(WORKERS)),
        "ProcessPoolExecutor": lambda: submitting(concurrent.futures.ProcessPoolExecutor(WORKERS)),
    }
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in rivals}
    with ExitStack() as stack:
        pools = {name: stack.enter_context(make()) for name, make in rivals.items()}
        for submit in pools.values():
            computing(submit, WINDOW)
        for _ in range(rounds):
            for name, submit in pools.items():
                seen[name].append(computing(submit, 2 * WINDOW))
    return {
        "pure Python, calls/s": {n: statistics.median(r for r, _ in by) for n, by in seen.items()},
        "bound: workers / task time": {n: statistics.median(b for _, b in by) for n, by in seen.items()},
        "share of the bound": {n: statistics.median(r / b for r, b in by) for n, by in seen.items()},
    }


def cpu_bars(table: dict[str, Any]) -> list[tuple[str, float, float, bool]]:
    """The same for what computes."""
    share = table["share of the bound"]["headrace"]
    return [("pure Python rate, share of workers / task time, at least", share, 0.95, share >= 0.95)]


def main() -> int:
    """Measure, print, judge."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=["process", "thread", "cpu"])
    options = parser.parse_args()
    results: dict[str, Any] = {}
    reached = True
    for kind, measured, judge in (
        ("process", lambda n: measure(process_rivals(), process_figures(), n), process_bars),
        ("thread", lambda n: measure(thread_rivals(), thread_figures(), n), thread_bars),
        ("cpu", measure_cpu, cpu_bars),
    ):
        if options.only not in (None, kind):
            continue
        table = measured(options.rounds)
        bars = judge(table)
        show(f"{kind} executors, {WORKERS} workers", table, bars)
        results[kind] = {"figures": table, "bars": bars}
        reached = reached and all(good for *_, good in bars)
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
