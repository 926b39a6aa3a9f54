"""Calls that batch themselves: write single calls, get one downstream call for many of them.

>>> @headrace.batch(max_batch_size=200)
... async def load_users(ids: list[int]) -> list[User | Exception]:
...     return await database.fetch("SELECT ... WHERE id = ANY($1)", ids)
>>> user = await load_users(7)            # concurrent calls share one query

The module is the decorator; what it makes is a `Batcher`. `redis_get`, `redis_hget` and `sqlite` are batch functions
that run without Python. docs/how-to/batching.md says when to use what.
"""

from __future__ import annotations

import sys

from headrace.batch.batcher import Batcher, NativeFunction, prometheus
from headrace.batch.decorator import BatchModule
from headrace.batch.native import identity, redis_get, redis_hget, sqlite
from headrace.batch.options import Cache, OnFull, RateLimit
from headrace.batch.stats import Stats

__all__ = [
    "Batcher",
    "Cache",
    "NativeFunction",
    "OnFull",
    "RateLimit",
    "Stats",
    "identity",
    "prometheus",
    "redis_get",
    "redis_hget",
    "sqlite",
]

sys.modules[__name__].__class__ = BatchModule
