"""The Python half of ``asyncio`` routes: what runs on their loop besides handlers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from headrace import _core
from headrace.http.declared import Handler
from headrace.http.response import Accepted

__all__ = ["as_coroutine", "run_accepted", "stream_to"]


def as_coroutine(handler: Handler) -> Callable[..., Coroutine[Any, Any, Any]]:
    """An async generator function as a coroutine function that returns the generator."""
    if not inspect.isasyncgenfunction(handler):
        return handler

    @functools.wraps(handler)
    async def call(request: Any) -> Any:
        return handler(request)

    return call


async def run_accepted(accepted: Accepted) -> None:
    """Work that is a coroutine is awaited; what is not blocks the loop as any plain call does."""
    result = accepted.run()
    if inspect.isawaitable(result):
        await result


async def stream_to(stream: _core.http.LoopStream, pieces: AsyncIterator[Any] | Iterator[Any]) -> None:
    """Send what ``pieces`` yields as fast as the client reads; stop, and close it, when the client has left."""
    try:
        if isinstance(pieces, AsyncIterator):
            async for piece in pieces:
                if not await _send(stream, piece):
                    return
        else:
            for piece in pieces:
                if not await _send(stream, piece):
                    return
        stream.finish()
    finally:
        stream.abandon()  # not left to whoever keeps the traceback: the end of the connection is what tells the client
        if hasattr(pieces, "aclose"):
            await pieces.aclose()
        elif hasattr(pieces, "close"):
            pieces.close()


async def _send(stream: _core.http.LoopStream, piece: Any) -> bool:
    """False: the client has left."""
    while (taken := stream.write(piece)) is False:
        await stream.room()
    return taken is not None
