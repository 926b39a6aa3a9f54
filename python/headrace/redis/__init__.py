"""A native Redis client, for threads and for asyncio.

>>> client = headrace.redis.Client("redis://localhost:6379")
>>> client.execute("SET", "greeting", "hello")
'OK'
>>> client.execute("GET", "greeting")
b'hello'

One connection serves any number of threads: the commands that wait at the same moment leave in one write. A lost
connection is made again, with AUTH, SELECT and CLIENT SETNAME; a command that had been sent and not answered raises
MaybeExecuted, because only the caller knows whether it may run twice.

Replies: status -> str, bulk string -> bytes, integer -> int, nil -> None, array -> list, error -> ServerError (raised;
inside an array or a pipeline with ``raise_on_error=False`` it is a value).

`headrace.redis.aio` has the same for coroutines:

>>> async with headrace.redis.aio.Client("redis://localhost:6379") as client:
...     await client.execute("GET", "greeting")
b'hello'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from headrace.redis.client import Client, Pipeline
from headrace.redis.subscription import Message, Subscription

__all__ = ["Client", "Message", "Pipeline", "Subscription", "aio"]

if TYPE_CHECKING:
    from headrace.redis import aio


def __getattr__(name: str) -> Any:
    if name == "aio":  # threads do not pay for asyncio
        return importlib.import_module("headrace.redis.aio")
    raise AttributeError(f"module 'headrace.redis' has no attribute {name!r}")
