"""Ray Serve's `@serve.batch`, inside one process, without its HTTP proxies: 64 coroutines on one batched function.

    pip install 'ray[serve]' && python experiments/batching/peers/ray_serve.py --items 20000

The function runs where Ray Serve would run it in a replica, on the loop that calls it; a request through a Ray
deployment costs a remote call on top. Prints its figures as a line of JSON.
"""

from __future__ import annotations

import argparse
from typing import Any

from ray import serve

from headrace.experiment.batching import loops


async def main(args: argparse.Namespace) -> loops.Tally:
    @serve.batch(max_batch_size=100, batch_wait_timeout_s=0.0)
    async def identity(items: list[int]) -> list[int]:
        return items

    call: Any = identity
    await loops.closed(call, args.items // 10, args.callers)
    return await loops.closed(call, args.items, args.callers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    loops.say(loops.run(main(options), options.loop))
