"""aiodataloader, with its cache off: with it every key is kept for ever, and calls are slower.

    python experiments/batching/peers/aiodataloader_loader.py await --items 200000 --loop uvloop
    python experiments/batching/peers/aiodataloader_loader.py redis --url redis://127.0.0.1 --items 100000

Prints its figures as a line of JSON. `redis` gathers the keys of one turn of the loop into an MGET of redis-py,
`sqlite` into one query of the standard library's sqlite3, in a thread.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from aiodataloader import DataLoader

from headrace.experiment.batching import loops, open_loop, store


class Identity(DataLoader[int, int]):
    """Answers each key with itself."""

    async def batch_load_fn(self, keys: list[int]) -> list[int]:
        return keys


class Redis(DataLoader[bytes, Any]):
    """One MGET for all."""

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(**options)
        self._client = client

    async def batch_load_fn(self, keys: list[bytes]) -> list[Any]:
        found: list[Any] = await self._client.mget(keys)
        return found


class Sqlite(DataLoader[int, Any]):
    """One query for all, in the loop's default executor."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(**options)
        self._database = sqlite3.connect(path, check_same_thread=False)

    async def batch_load_fn(self, keys: list[int]) -> list[Any]:
        return await asyncio.get_running_loop().run_in_executor(None, self._query, keys)

    def _query(self, keys: list[int]) -> list[Any]:
        ids = [k % store.RECORDS for k in keys]
        query = store.QUERY.format(",".join("?" * len(ids)))
        found = dict(self._database.execute(query, ids).fetchall())
        return [found.get(i) for i in ids]


async def main(args: argparse.Namespace) -> loops.Tally:
    if args.mode == "redis":
        import redis.asyncio

        store.fill_redis(args.url)
        async with redis.asyncio.Redis.from_url(args.url) as client:
            redis_loader = Redis(client, cache=False)
            load, records = redis_loader.load, (store.KEYS, store.VALUES)
            await loops.lookups(load, args.items // 10, args.callers, *records)
            return await loops.lookups(load, args.items, args.callers, *records)
    if args.mode == "sqlite":
        store.fill_sqlite(args.file)
        sqlite_loader = Sqlite(args.file, cache=False)
        await loops.closed(sqlite_loader.load, args.items // 10, args.callers, expected=store.value)
        return await loops.closed(sqlite_loader.load, args.items, args.callers, expected=store.value)
    loader = Identity(cache=False)
    if args.mode == "map":
        await loops.mapped(loader.load_many, args.items // 10, args.size)
        return await loops.mapped(loader.load_many, args.items, args.size)
    if args.mode == "open-loop":

        async def request(item: int) -> tuple[Any, int]:
            return await loader.load(item), 0

        return await open_loop.open_loop(request, [(args.rate, args.seconds)], expected=loops.same)
    await loops.closed(loader.load, args.items // 10, args.callers)
    return await loops.closed(loader.load, args.items, args.callers)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["await", "map", "open-loop", "redis", "sqlite"])
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--callers", type=int, default=64, help="coroutines that each wait for their item")
    parser.add_argument("--size", type=int, default=1000, help="items of one map")
    parser.add_argument("--rate", type=float, default=50_000.0, help="of the open loop, requests/s")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--url", default="redis://127.0.0.1:6379")
    parser.add_argument("--file", type=Path, default=Path("records.db"))
    return parser


if __name__ == "__main__":
    options = arguments().parse_args()
    loops.say(loops.run(main(options), options.loop))
