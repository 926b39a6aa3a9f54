"""The keyword arguments of `Batcher`, for type checkers."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypedDict

from headrace.batch.options import Cache, OnFull, RateLimit


class LimitOptions(TypedDict, total=False):
    """What `Batcher.configure` can change."""

    max_batch_size: int
    max_batch_weight: int | None
    batch_wait_timeout_s: float
    max_concurrent_batches: int | tuple[int, int]
    max_queue_size: int
    on_full: OnFull
    rate_limit: RateLimit | None
    timeout: float | None


class BatcherOptions(LimitOptions, total=False):
    """What `headrace.batch` and `Batcher` take beside the function."""

    key: Callable[[Any], Hashable] | None
    dedupe: bool | None
    cache: Cache | int | None
    batch_size_fn: Callable[[Any], int] | None
    name: str
