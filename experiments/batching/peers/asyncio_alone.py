"""asyncio without any batcher: what the loops and tasks alone cost, and the floor of an await.

    python experiments/batching/peers/asyncio_alone.py sleep --items 500000
    python experiments/batching/peers/asyncio_alone.py floor --items 500000 --loop uvloop
    python experiments/batching/peers/asyncio_alone.py open-loop --rate 50000 --seconds 3

sleep      await asyncio.sleep(0), one turn of the loop
floor      a native awaitable completed on the loop's own thread, once per turn: no await that waits can be cheaper
open-loop  one task per request, which has its answer at once

Prints its figures as a line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib

from headrace.experiment.batching import loops, open_loop


async def sleep(item: int) -> int:
    await asyncio.sleep(0)
    return item


async def answered(item: int) -> tuple[int, int]:
    return item, 0


async def main(args: argparse.Namespace) -> loops.Tally:
    if args.mode == "open-loop":
        return await open_loop.open_loop(answered, [(args.rate, args.seconds)], expected=loops.same)
    call: loops.Call = sleep
    if args.mode == "floor":
        call, close = importlib.import_module("headrace._core")._bench.on_next_tick()
    await loops.closed(call, args.items // 10, args.callers)
    tally = await loops.closed(call, args.items, args.callers)
    if args.mode == "floor":
        close()
    return tally


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["sleep", "floor", "open-loop"])
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--rate", type=float, default=50_000.0)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    loops.say(loops.run(main(options), options.loop))
