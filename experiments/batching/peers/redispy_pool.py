"""redis-py without batching: one GET per call on a pool of connections, as most services have it.

    python experiments/batching/peers/redispy_pool.py --url redis://127.0.0.1 --connections 64 --items 20000

Prints its figures as a line of JSON.
"""

from __future__ import annotations

import argparse
from typing import Any

import redis.asyncio

from headrace.experiment.batching import loops, store


async def main(args: argparse.Namespace) -> loops.Tally:
    store.fill_redis(args.url)
    pool: Any = redis.asyncio.BlockingConnectionPool.from_url(args.url, max_connections=args.connections)
    async with redis.asyncio.Redis(connection_pool=pool) as client:
        records = (store.KEYS, store.VALUES)
        await loops.lookups(client.get, args.items // 10, args.callers, *records)
        tally = await loops.lookups(client.get, args.items, args.callers, *records)
    await pool.aclose()
    return tally


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="redis://127.0.0.1:6379")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    loops.say(loops.run(main(options), options.loop))
