"""Ten requests, one call: concurrent lookups that share one trip to Redis, without any of them knowing.

python experiments/batching/coalesce.py --url redis://127.0.0.1:6379
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import headrace
from headrace.batch import Batcher
from headrace.redis import aio


async def request(number: int, get: Batcher[Any, bytes | None]) -> str:
    """What one request does: it asks for its own key, and nothing here speaks of batches."""
    name = await get(b"user:%d" % number)
    return f"request {number} found {name!r}"


async def main(url: str) -> None:
    async with aio.Client(url) as client, headrace.batch(headrace.batch.redis_get(client)) as get:
        for line in await asyncio.gather(*(request(number, get) for number in range(10))):
            print(line)
        stats = get.stats()
        print(f"{stats.completed} lookups, {stats.batches} call(s) of Redis")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="redis://127.0.0.1:6379", help="a Redis server")
    asyncio.run(main(parser.parse_args().url))
