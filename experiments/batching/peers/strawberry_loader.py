"""strawberry-graphql's DataLoader, with its cache off.

    python experiments/batching/peers/strawberry_loader.py await --items 200000 --loop uvloop

Prints its figures as a line of JSON.
"""

from __future__ import annotations

import argparse
from typing import Any

from strawberry.dataloader import DataLoader

from headrace.experiment.batching import loops


async def identity(keys: list[int]) -> list[int]:
    return keys


async def main(args: argparse.Namespace) -> loops.Tally:
    loader: Any = DataLoader(load_fn=identity, cache=False)
    if args.mode == "map":
        await loops.mapped(loader.load_many, args.items // 10, args.size)
        return await loops.mapped(loader.load_many, args.items, args.size)
    await loops.closed(loader.load, args.items // 10, args.callers)
    return await loops.closed(loader.load, args.items, args.callers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["await", "map"])
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--size", type=int, default=1000, help="items of one map")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    loops.say(loops.run(main(options), options.loop))
