"""What one await costs, by the way in which its completion comes: awaits/s of K coroutines in a loop.

python cpp/bench/bridge_bench.py [--coroutines 64] [--awaits 100000] [--rounds 7]

Every round runs every way once, on asyncio and on uvloop, so that a busy machine slows all of them alike; the table
gives the medians and their ratio to the floor of the same loop.

floor            a native awaitable completed on the loop's own thread, once per tick of the loop
floor, no tick   the same, completed by the bridge's drain without the loop turning
cross-thread     a native awaitable completed by another thread, which never takes the GIL
future           asyncio.Future, completed by call_soon(set_result)
threadsafe       asyncio.Future, completed by another Python thread with call_soon_threadsafe per item
"""

from __future__ import annotations

import argparse
import asyncio
import queue
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from headrace._core import _bench

Submit = Callable[[Any], Awaitable[Any]]


def future() -> tuple[Submit, Callable[[], None]]:
    loop = asyncio.get_running_loop()

    def submit(value: Any) -> Awaitable[Any]:
        waiter = loop.create_future()
        loop.call_soon(waiter.set_result, value)
        return waiter

    return submit, lambda: None


def threadsafe() -> tuple[Submit, Callable[[], None]]:
    loop = asyncio.get_running_loop()
    work: queue.SimpleQueue[tuple[asyncio.Future[Any], Any] | None] = queue.SimpleQueue()

    def serve() -> None:
        while (item := work.get()) is not None:
            loop.call_soon_threadsafe(item[0].set_result, item[1])

    thread = threading.Thread(target=serve)
    thread.start()

    def submit(value: Any) -> Awaitable[Any]:
        waiter = loop.create_future()
        work.put((waiter, value))
        return waiter

    def close() -> None:
        work.put(None)
        thread.join()

    return submit, close


WAYS: dict[str, tuple[Callable[[], tuple[Submit, Callable[[], None]]], float]] = {
    "floor": (_bench.on_next_tick, 1),
    "floor, no tick": (_bench.at_end_of_drain, 1),
    "cross-thread": (_bench.by_thread, 1),
    "future": (future, 1),
    "threadsafe": (threadsafe, 0.1),  # a tenth of the awaits: it is that slow
}


async def run(make: Callable[[], tuple[Submit, Callable[[], None]]], coroutines: int, each: int) -> float:
    submit, close = make()

    async def caller() -> None:
        for i in range(each):
            if await submit(i) != i:
                raise AssertionError("a wrong answer")

    await asyncio.gather(*(caller() for _ in range(coroutines)))  # warm
    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(coroutines)))
    elapsed = time.perf_counter() - start
    close()
    return coroutines * each / elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coroutines", type=int, default=64)
    parser.add_argument("--awaits", type=int, default=100_000, help="of one way in one round")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.new_event_loop,
        "uvloop": uvloop.new_event_loop,
    }
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(options.rounds):
        for loop_name, new_loop in loops.items():
            for way, (make, share) in WAYS.items():
                each = max(int(options.awaits * share / options.coroutines), 1)
                with asyncio.Runner(loop_factory=new_loop) as runner:
                    rate = runner.run(run(make, options.coroutines, each))
                rates.setdefault((loop_name, way), []).append(rate)
    print(f"awaits/s, {options.coroutines} coroutines, median of {options.rounds} interleaved rounds")
    for loop_name in loops:
        floor = statistics.median(rates[loop_name, "floor"])
        for way in WAYS:
            rate = statistics.median(rates[loop_name, way])
            print(f"{loop_name:8} {way:15} {rate:12,.0f} {rate / floor:6.2f} of the floor")


if __name__ == "__main__":
    main()
