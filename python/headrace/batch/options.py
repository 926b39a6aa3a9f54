"""What a batcher can be told, and the checks that turn it into what the native side takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Literal

from headrace.errors import InvalidArgument

OnFull = Literal["wait", "reject", "drop_oldest"]
CONFIGURABLE = (
    "max_batch_size",
    "max_batch_weight",
    "batch_wait_timeout_s",
    "max_concurrent_batches",
    "max_queue_size",
    "on_full",
    "rate_limit",
    "timeout",
)


@dataclass(frozen=True)
class RateLimit:
    """A token bucket in front of the downstream.

    When tokens are short, items wait and batches grow by themselves.

    Args:
        rate: tokens per second.
        burst: tokens that gather while nothing happens; the rate of one second, at least 1, when None.
        per: what a token pays for, a "batch" (one request downstream) or an "item".

    Raises InvalidArgument.
    """

    rate: float
    burst: float | None = None
    per: Literal["batch", "item"] = "batch"

    def __post_init__(self) -> None:
        check_positive("rate", self.rate)
        if self.burst is not None and not (math.isfinite(self.burst) and self.burst >= 1):
            raise InvalidArgument(f"burst must be at least 1, not {self.burst!r}")
        if self.per not in ("batch", "item"):
            raise InvalidArgument(f"per must be 'batch' or 'item', not {self.per!r}")


@dataclass(frozen=True)
class Cache:
    """Results that are kept and given to later callers of the same key; errors are not.

    Args:
        size: keys; the one that was used longest ago goes first.
        ttl: seconds that a result is good for; None: as long as there is room.

    Raises InvalidArgument.
    """

    size: int
    ttl: float | None = None

    def __post_init__(self) -> None:
        check_count("cache size", self.size, 1)
        if self.ttl is not None:
            check_positive("ttl", self.ttl)


@dataclass
class Options:
    """Everything about a batcher except its function; `Batcher` says what each one means."""

    max_batch_size: int = 100
    max_batch_weight: int | None = None
    batch_wait_timeout_s: float = 0.0
    max_concurrent_batches: int | tuple[int, int] = 1
    max_queue_size: int = 10_000
    on_full: OnFull = "wait"
    rate_limit: RateLimit | None = None
    key: Callable[[Any], Hashable] | None = None
    dedupe: bool | None = None
    cache: Cache | int | None = None
    batch_size_fn: Callable[[Any], int] | None = None
    timeout: float | None = None
    name: str = ""

    def native(self) -> dict[str, Any]:
        """As headrace._core.batch.Batcher takes them. Raises InvalidArgument."""
        cache = Cache(self.cache) if isinstance(self.cache, int) else self.cache
        check_callable("key", self.key)
        check_callable("batch_size_fn", self.batch_size_fn)
        if self.max_batch_weight is not None and self.batch_size_fn is None:
            raise InvalidArgument("max_batch_weight needs a batch_size_fn that tells the weight of an item")
        if self.batch_size_fn is not None and self.max_batch_weight is None:
            raise InvalidArgument("batch_size_fn needs a max_batch_weight that it counts against")
        dedupe = self.dedupe if self.dedupe is not None else self.key is not None or cache is not None
        if cache is not None and not dedupe:
            raise InvalidArgument("a cache implies dedupe=True: equal keys in flight share one call as cached ones do")
        return {
            **self.native_limits(),
            "key": self.key,
            "dedupe": dedupe,
            "cache_size": cache.size if cache is not None else 0,
            "cache_ttl": cache.ttl if cache is not None and cache.ttl is not None else math.inf,
            "batch_size_fn": self.batch_size_fn,
            "name": self.name,
        }

    def native_limits(self) -> dict[str, Any]:
        """Those that may change while the batcher runs. Raises InvalidArgument."""
        check_count("max_batch_size", self.max_batch_size, 1)
        check_count("max_queue_size", self.max_queue_size, 1)
        if self.max_batch_weight is not None:
            check_count("max_batch_weight", self.max_batch_weight, 1)
        if not (math.isfinite(self.batch_wait_timeout_s) and self.batch_wait_timeout_s >= 0):
            raise InvalidArgument(f"batch_wait_timeout_s must not be negative, got {self.batch_wait_timeout_s!r}")
        if self.on_full not in ("wait", "reject", "drop_oldest"):
            raise InvalidArgument(f"on_full must be 'wait', 'reject' or 'drop_oldest', not {self.on_full!r}")
        if self.timeout is not None:
            check_positive("timeout", self.timeout)
        least, most = concurrency(self.max_concurrent_batches)
        limit = self.rate_limit
        if limit is not None and not isinstance(limit, RateLimit):
            raise InvalidArgument(f"rate_limit must be a RateLimit, not {limit!r}")
        return {
            "max_batch_size": self.max_batch_size,
            "max_batch_weight": self.max_batch_weight or 0,
            "batch_wait_timeout_s": float(self.batch_wait_timeout_s),
            "min_concurrency": least,
            "max_concurrency": most,
            "max_queue_size": self.max_queue_size,
            "on_full": self.on_full,
            "rate": limit.rate if limit is not None else 0.0,
            "burst": 0.0 if limit is None else limit.burst if limit.burst is not None else max(1.0, limit.rate),
            "rate_per_item": limit is not None and limit.per == "item",
            "timeout": self.timeout if self.timeout is not None else math.inf,
        }


def concurrency(wanted: int | tuple[int, int]) -> tuple[int, int]:
    """(least, most) of ``max_concurrent_batches``. Raises InvalidArgument."""
    if isinstance(wanted, tuple):
        if len(wanted) != 2:
            raise InvalidArgument(f"max_concurrent_batches must be an int or (min, max), not {wanted!r}")
        least, most = wanted
    else:
        least = most = wanted
    check_count("max_concurrent_batches", least, 1)
    check_count("max_concurrent_batches", most, 1)
    if least > most:
        raise InvalidArgument(f"max_concurrent_batches is (min, max), but {least} > {most}")
    return least, most


def check_count(name: str, value: object, least: int) -> None:
    """Raises InvalidArgument unless ``value`` is an int of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidArgument(f"{name} must be an int of at least {least}, not {value!r}")


def check_positive(name: str, value: float) -> None:
    """Raises InvalidArgument unless ``value`` is finite and greater than 0."""
    if not (math.isfinite(value) and value > 0):
        raise InvalidArgument(f"{name} must be greater than 0, not {value!r}")


def check_callable(name: str, value: object) -> None:
    """Raises InvalidArgument unless ``value`` is None or can be called."""
    if value is not None and not callable(value):
        raise InvalidArgument(f"{name} must be a function, not {value!r}")
