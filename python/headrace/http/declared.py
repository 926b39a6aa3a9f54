"""What an App was told about a route, checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from headrace.errors import InvalidArgument

__all__ = ["EXECUTORS", "Executor", "Handler", "Limits", "OnFull", "RouteSpec", "choose_executor"]

Executor = Literal["sync", "inline", "thread", "process", "asyncio", "native"]
EXECUTORS: tuple[str, ...] = ("sync", "inline", "thread", "process", "asyncio", "native")
OnFull = Literal["reject", "drop_oldest"]
Handler = Callable[..., Any]


@dataclass(frozen=True)
class Limits:
    """What bounds a route. None: what its executor has by itself."""

    concurrency: int | None = None
    max_queue_size: int | None = None
    on_full: str = "reject"
    deadline: float | None = None

    def check(self, name: str, executor: str) -> None:
        """Raise InvalidArgument for what is outside its range, or means nothing for this executor."""
        if self.on_full not in ("reject", "drop_oldest"):
            raise InvalidArgument(f"{name}: on_full is 'reject' or 'drop_oldest', not {self.on_full!r}")
        if self.concurrency is not None and self.concurrency < 1:
            raise InvalidArgument(f"{name}: concurrency must be at least 1, not {self.concurrency!r}")
        if self.max_queue_size is not None and self.max_queue_size < 0:
            raise InvalidArgument(f"{name}: max_queue_size must not be negative, not {self.max_queue_size!r}")
        if self.deadline is not None and not self.deadline > 0:
            raise InvalidArgument(f"{name}: deadline must be a positive number of seconds, not {self.deadline!r}")
        if executor == "sync" and self.concurrency not in (None, 1):
            raise InvalidArgument(f"{name}: sync runs one request at a time; leave concurrency out")
        queues = self.concurrency is not None or self.max_queue_size is not None or self.on_full != "reject"
        if executor in ("inline", "native") and queues:
            raise InvalidArgument(f"{name}: {executor} runs in the I/O thread and nothing waits; leave limits out")
        if executor == "native" and self.deadline is not None:
            raise InvalidArgument(f"{name}: native handlers have no deadline")


@dataclass(frozen=True, eq=False)
class RouteSpec:
    """One route of an app."""

    method: str
    pattern: str
    executor: str
    handler: Handler | None
    native: str | None
    limits: Limits

    @property
    def name(self) -> str:
        """As in counters and logs."""
        return f"{self.method} {self.pattern}"

    def same_place(self, other: RouteSpec) -> bool:
        """Whether it is the other one defined anew, as when a notebook's cell runs again."""

        def place(spec: RouteSpec) -> tuple[Any, Any]:
            return getattr(spec.handler, "__module__", None), getattr(spec.handler, "__qualname__", spec.native)

        return place(self) == place(other)


def choose_executor(name: str, handler: Handler, executor: str | None) -> str:
    """The executor of a handler; coroutines have one of their own."""
    coroutine = inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler)
    if executor is None:
        return "asyncio" if coroutine else "thread"
    if executor not in EXECUTORS:
        raise InvalidArgument(f"{name}: unknown executor {executor!r}; there are {', '.join(EXECUTORS)}")
    if executor == "native":
        raise InvalidArgument(f"{name}: native handlers are C++ and chosen by name: native='hello'")
    if coroutine and executor != "asyncio":
        raise InvalidArgument(f"{name}: an async def handler runs on executor='asyncio', not {executor!r}")
    if not coroutine and executor == "asyncio":
        raise InvalidArgument(f"{name}: executor='asyncio' needs an async def handler")
    return executor
