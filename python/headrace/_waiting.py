"""Waiting in a coroutine until something native is so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headrace._core import Future


class Condition:
    """What is told once by a native future, which every coroutine that waits shares.

    A wait that times out or is cancelled leaves the future to the next one, so that waiting again and again leaves
    nothing behind. It says that the thing was so, not that it still is: callers look again.
    """

    def __init__(self, ask: Callable[[], Future[None]]) -> None:
        self._ask = ask
        self._told: Future[None] | None = None

    async def wait(self, timeout: float | None) -> bool:
        """False when ``timeout`` seconds passed first; None waits for ever."""
        if self._told is None or self._told.done():
            self._told = self._ask()
        told = self._told
        if not told.done():
            await asyncio.wait([told], timeout=timeout)  # type: ignore[type-var]  # it has the surface, not the base
        return told.done()

    async def wait_until(self, deadline: float | None) -> bool:
        """The same with a time of the event loop's clock."""
        return await self.wait(None if deadline is None else max(deadline - asyncio.get_running_loop().time(), 0))
