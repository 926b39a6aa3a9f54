"""What a task graph costs from Python: the tree of `graph_bench`, one Python call for each of its units.

    python cpp/bench/graph_bench.py [--rounds N] [--layers L] [--fan N] [--sleep-s S] [--only VARIANT] [--json]

A unit sleeps, on a timer, after its dependencies, and then calls its function. Making the tree counts. `asyncio` is the
same with one task for each unit, that gathers its children and sleeps; `call_later` with counters and a timer for each.
Rounds alternate; medians.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from headrace import Graph, Node


def graph(layers: int, fan: int, sleep_s: float) -> None:
    calls = 0

    def unit() -> None:
        nonlocal calls
        calls += 1

    with Graph() as g:
        submit = g.submit

        def tree(layer: int) -> Node[Any]:
            if layer == 1:
                leaves = [submit(unit, delay_s=sleep_s) for _ in range(fan)]
                return submit(unit, deps=leaves, delay_s=sleep_s)
            return submit(unit, deps=[tree(layer - 1) for _ in range(fan)], delay_s=sleep_s)

        tree(layers).result(60)
    assert calls == sum(fan**k for k in range(layers + 1))


def gather(layers: int, fan: int, sleep_s: float) -> None:
    async def unit(layer: int) -> None:
        if layer:
            await asyncio.gather(*(unit(layer - 1) for _ in range(fan)))
        await asyncio.sleep(sleep_s)

    asyncio.run(unit(layers))


def call_later(layers: int, fan: int, sleep_s: float) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def unit(layer: int, parent: Callable[[], None]) -> None:
            left = fan

            def child_done() -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    loop.call_later(sleep_s, parent)

            if layer == 0:
                loop.call_later(sleep_s, parent)
                return
            for _ in range(fan):
                unit(layer - 1, child_done)

        unit(layers, lambda: done.set_result(None))
        await done

    asyncio.run(main())


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    gc.collect()
    start = time.perf_counter()
    yield
    into.append((time.perf_counter() - start) * 1e3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--fan", type=int, default=10)
    parser.add_argument("--sleep-s", type=float, default=0.001)
    variants = {"graph": graph, "call_later": call_later, "gather": gather}
    parser.add_argument("--only", choices=variants)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.only:
        variants = {args.only: variants[args.only]}
    ms: dict[str, list[float]] = {name: [] for name in variants}
    for round_ in range(args.rounds + 1):
        for name, run in variants.items():
            with timed(ms[name] if round_ else []):  # the first round warms up
                run(args.layers, args.fan, args.sleep_s)
    medians = {name: round(statistics.median(values), 3) for name, values in ms.items()}
    ideal = (args.layers + 1) * args.sleep_s * 1e3
    if args.json:
        print(json.dumps({"ideal_ms": ideal, "rounds": args.rounds, "median_ms": medians}))
        return
    print(f"{sum(args.fan**k for k in range(args.layers + 1))} units, ideal {ideal:.2f} ms, {args.rounds} rounds")
    for name, values in ms.items():
        print(f"{name:11s} median {medians[name]:8.3f} ms  best {min(values):8.3f} ms  worst {max(values):8.3f} ms")


if __name__ == "__main__":
    main()
