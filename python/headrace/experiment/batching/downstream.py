"""What batches are handed to: it answers each item with itself, takes its time, and keeps count."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any


class Downstream:
    """A slow service. A call takes ``service_s`` and ``item_s`` more for each item, asleep.

    With ``timed`` an item's answer is (item, ns that the call took), so that the caller can take that off.
    Threads: any number, and coroutines of any loop.
    """

    def __init__(self, service_s: float = 0.0, item_s: float = 0.0, *, timed: bool = False) -> None:
        self.calls = self.items = self.largest = self.running = self.most = self.violations = 0
        self._service_s, self._item_s, self._timed = service_s, item_s, timed
        self._lock = threading.Lock()
        self._shown = (0, 0)

    def call(self, items: Sequence[int]) -> list[Any]:
        """As a plain function of a batch."""
        begin = self._enter(items)
        if self._service_s or self._item_s:
            time.sleep(self._service_s + self._item_s * len(items))
        return self._leave(items, begin)

    async def call_async(self, items: Sequence[int]) -> list[Any]:
        """As a coroutine function of a batch."""
        begin = self._enter(items)
        if self._service_s or self._item_s:
            await asyncio.sleep(self._service_s + self._item_s * len(items))
        return self._leave(items, begin)

    def since_last(self) -> dict[str, float]:
        """Mean size of the calls since this was asked last."""
        calls, items = self.calls, self.items
        new, self._shown = (calls - self._shown[0], items - self._shown[1]), (calls, items)
        return {"batch_size": new[1] / new[0]} if new[0] else {}

    def arrived(self, now_ns: int) -> None:
        """Called for each call, with the lock held; ``Strict`` looks at the time."""

    def _enter(self, items: Sequence[int]) -> int:
        now = time.monotonic_ns()
        with self._lock:
            self.arrived(now)
            self.calls += 1
            self.items += len(items)
            self.largest = max(self.largest, len(items))
            self.running += 1
            self.most = max(self.most, self.running)
        return now

    def _leave(self, items: Sequence[int], begin: int) -> list[Any]:
        with self._lock:
            self.running -= 1
        if not self._timed:
            return list(items)
        took = time.monotonic_ns() - begin
        return [(item, took) for item in items]


class Strict(Downstream):
    """Counts as a violation every call that a token bucket of ``rate`` per second and ``burst`` would not let through.

    Kept as the generic cell rate algorithm (ITU-T I.371): a call may come up to ``(burst - 1) / rate`` before its
    theoretical time. The clock is the downstream's own, read when the call arrives: a caller that lets calls through
    at the right times and delivers them late or bunched breaks the limit all the same, as it would at a real service.
    """

    def __init__(self, rate: float, burst: int, service_s: float = 0.0, item_s: float = 0.0) -> None:
        super().__init__(service_s, item_s)
        self._gap_ns = 1e9 / rate if rate > 0 else 0.0
        self._early_ns = (burst - 1) * self._gap_ns
        self._due_ns = 0.0

    def arrived(self, now_ns: int) -> None:
        if now_ns < self._due_ns - self._early_ns:
            self.violations += 1
            return
        self._due_ns = max(self._due_ns, now_ns) + self._gap_ns
