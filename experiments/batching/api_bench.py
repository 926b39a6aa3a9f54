"""What a call through headrace.batch costs, beside aiodataloader, thread pools, and the floor of the bridge.

    .venv/bin/python experiments/batching/api_bench.py [--rounds 7] [--seconds 0.4] [--redis]

Each round runs every variant once, in turn; figures are medians over the rounds. ``--redis`` starts a private server.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import headrace
from headrace import _core
from headrace.batch import Batcher, identity

CALLERS = 64
THREADS = 32
MAP = 1000


async def same_async(items: list[Any]) -> list[Any]:
    """A Python batch function that does nothing."""
    return items


def same(items: list[Any]) -> list[Any]:
    """The same for threads."""
    return items


def _identical(item: int) -> int:
    return item


async def calls_per_second(call: Callable[[int], Awaitable[Any]], seconds: float, callers: int = CALLERS) -> float:
    """``callers`` coroutines that call one after another for ``seconds``."""
    end = time.perf_counter() + seconds
    done = 0

    async def one() -> None:
        nonlocal done
        i = 0
        while True:
            for _ in range(50):
                await call(i)
                i += 1
            done += 50
            if time.perf_counter() >= end:
                return

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(callers)))
    return done / (time.perf_counter() - start)


async def maps_per_second(many: Callable[[list[int]], Awaitable[Any]], seconds: float) -> float:
    """Items per second of one coroutine that asks for MAP of them at a time."""
    items = list(range(MAP))
    end = time.perf_counter() + seconds
    start, done = time.perf_counter(), 0
    while time.perf_counter() < end:
        await many(items)
        done += MAP
    return done / (time.perf_counter() - start)


def loader() -> Any:
    """The rival at its best: no cache."""
    from aiodataloader import DataLoader

    return DataLoader(batch_load_fn=same_async, cache=False)


async def floor(seconds: float, name: str) -> float:
    submit, _close = getattr(_core._bench, name)()
    return await calls_per_second(submit, seconds)


async def native(seconds: float) -> float:
    async with Batcher(identity()) as b:
        return await calls_per_second(b, seconds)


async def python(seconds: float) -> float:
    b: Batcher[int, int] = Batcher(same_async)
    async with b:
        return await calls_per_second(b, seconds)


async def rival(seconds: float) -> float:
    return await calls_per_second(loader().load, seconds)


async def native_map(seconds: float) -> float:
    async with Batcher(identity(), max_batch_size=MAP) as b:
        return await maps_per_second(b.map, seconds)


async def python_map(seconds: float) -> float:
    b: Batcher[int, int] = Batcher(same_async, max_batch_size=MAP)
    async with b:
        return await maps_per_second(b.map, seconds)


async def rival_map(seconds: float) -> float:
    return await maps_per_second(loader().load_many, seconds)


LOOPED: dict[str, Callable[[float], Awaitable[float]]] = {
    "floor, next tick": lambda s: floor(s, "on_next_tick"),
    "floor, end of drain": lambda s: floor(s, "at_end_of_drain"),
    "batch, native function": native,
    "batch, async def function": python,
    "aiodataloader, cache off": rival,
    "map of 1000, native": native_map,
    "map of 1000, async def": python_map,
    "aiodataloader load_many of 1000": rival_map,
}


def threaded(call: Callable[[int], Any], seconds: float) -> float:
    """THREADS threads that call and wait."""
    end = time.perf_counter() + seconds
    counts = [0] * THREADS

    def one(n: int) -> None:
        while time.perf_counter() < end:
            for i in range(10):
                call(i).result()
            counts[n] += 10

    threads = [threading.Thread(target=one, args=(n,)) for n in range(THREADS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


def _submits_to(pool: ThreadPoolExecutor) -> Callable[[int], Any]:
    return lambda i: pool.submit(_identical, i)


def in_threads(seconds: float) -> dict[str, float]:
    """One round with threads."""
    found = {}
    for name, function in (("threads, plain function", same), ("threads, native function", identity())):
        with Batcher(function) as b:
            found[name] = threaded(b.submit, seconds)
    for workers in (1, 2, THREADS):
        with ThreadPoolExecutor(workers) as pool:
            found[f"ThreadPoolExecutor({workers})"] = threaded(_submits_to(pool), seconds)
    return found


async def on_redis(url: str, seconds: float) -> dict[str, float]:
    """One round of GET by 64 callers: ours, and aiodataloader with MGET on redis-py."""
    import redis.asyncio
    from aiodataloader import DataLoader

    theirs = redis.asyncio.Redis.from_url(url)

    async def mget(keys: list[str]) -> list[Any]:
        return list(await theirs.mget(keys))

    found = {}
    load = DataLoader(batch_load_fn=mget, cache=False).load
    keys = [f"key:{i}" for i in range(50)]
    async with headrace.redis.aio.Client(url) as client:
        async with Batcher(headrace.batch.redis_get(client), max_batch_size=500) as get:
            found["redis, ours"] = await calls_per_second(lambda i: get(keys[i % 50]), seconds)
        found["redis, aiodataloader + MGET"] = await calls_per_second(lambda i: load(keys[i % 50]), seconds)
    await theirs.aclose()
    return found


def loops() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    import uvloop

    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def one_round(seconds: float, url: str | None) -> dict[str, float]:
    """Every variant once."""
    found = {}
    for loop, factory in loops().items():
        with asyncio.Runner(loop_factory=factory) as runner:
            for name, measure in LOOPED.items():
                found[f"{loop}: {name}"] = runner.run(_awaited(measure(seconds)))
            if url is not None:
                found.update({f"{loop}: {name}": v for name, v in runner.run(on_redis(url, seconds)).items()})
    return {**found, **in_threads(seconds)}


async def _awaited(measured: Awaitable[float]) -> float:
    return await measured


def main() -> None:
    """Measure, print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.4, help="of each variant in each round")
    parser.add_argument("--redis", action="store_true", help="also against a private redis-server")
    options = parser.parse_args()
    if options.redis:
        from headrace.servers import RedisServer

        with RedisServer() as server:
            rounds = [one_round(options.seconds, server.url) for _ in range(options.rounds)]
    else:
        rounds = [one_round(options.seconds, None) for _ in range(options.rounds)]
    for name in rounds[0]:
        values = [r[name] for r in rounds]
        print(f"{name:42} {statistics.median(values) / 1e3:9.0f} k/s   best {max(values) / 1e3:9.0f}")


if __name__ == "__main__":
    main()
