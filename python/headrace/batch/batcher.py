"""`Batcher`: calls that batch themselves."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack

from headrace import _core
from headrace.batch.options import CONFIGURABLE, Cache, OnFull, Options, RateLimit
from headrace.batch.stats import Stats, prometheus_text
from headrace.batch.typed import LimitOptions
from headrace.errors import InvalidArgument
from headrace.measure import Histogram

K = TypeVar("K")
V = TypeVar("V")

NativeFunction = _core.batch.Function
Results = Iterable[V | Exception] | Mapping[Any, V | Exception]
BatchFunction = Callable[[list[K]], Results[V]] | Callable[[list[K]], Awaitable[Results[V]]] | NativeFunction[K, V]

_alive: weakref.WeakSet[Batcher[Any, Any]] = weakref.WeakSet()


class Batcher(_core.batch.Batcher[K, V], Generic[K, V]):
    """Gathers single calls into batches, gives the batches to a function, and gives each caller its own result.

    >>> users = Batcher(load_users, max_batch_size=200)    # def load_users(ids: list[int]) -> list[User | Exception]
    >>> await users(7)                                     # in a coroutine: one of many that share a call
    >>> users.submit(7, timeout=0.5).result()              # in a thread
    >>> users.map([1, 2, 3]).result()                      # many at once, one hop

    Without a window (the default) nothing waits on purpose: a batch leaves as soon as the function is free, and what
    comes while it works is the next batch. In a coroutine the calls of one turn of the event loop leave together.

    The function gets a list of items and returns one result per item, in order, or a mapping by key (by item, without
    ``key``). An Exception among the results is raised for that item alone. A list of another length, a key that is
    missing, None, or an exception of the function itself fails the items concerned; the batcher goes on.

    Args:
        fn: a plain function (runs on a worker thread), an ``async def`` function (runs as a task on the event loop of
            those who call; every loop forms its own batches), or a native function such as `headrace.batch.redis_get`.
        max_batch_size: items per call of ``fn``.
        max_batch_weight: sum of ``batch_size_fn(item)`` per call; an item heavier than that is refused
            (InvalidArgument).
        batch_wait_timeout_s: seconds that the first waiting item may wait for company; 0: no window.
        max_concurrent_batches: calls of ``fn`` at one time, or (min, max): then found by latency and errors.
        max_queue_size: items that may wait.
        on_full: what more items meet: "wait" for room (coroutines are suspended, threads blocked), "reject" (QueueFull)
            or "drop_oldest" (the one that waited longest gets QueueFull).
        rate_limit: batches or items per second that the downstream may see.
        key: makes the key of an item: equal keys in flight share one call (each caller keeps a handle of its own, so
            one's cancel is nobody else's), and a mapping is looked up by it. Without it items do not share, unless
            ``dedupe=True``: then the item is the key.
        dedupe: whether equal keys share; None: when there is a ``key`` or a ``cache``.
        cache: results to keep by key: a size, or `Cache` with a size and a time to live.
        batch_size_fn: the weight of one item, an int.
        timeout: seconds that each item may take unless `submit` says otherwise; then DeadlineExceeded, also when
            ``fn`` never returns.
        name: for `stats` and metrics; the function's when empty.

    Raises InvalidArgument. Any number of threads and event loops may share a batcher; a child of fork() makes a new
    one (Forked).
    """

    def __init__(
        self,
        fn: BatchFunction[K, V],
        *,
        max_batch_size: int = 100,
        max_batch_weight: int | None = None,
        batch_wait_timeout_s: float = 0.0,
        max_concurrent_batches: int | tuple[int, int] = 1,
        max_queue_size: int = 10_000,
        on_full: OnFull = "wait",
        rate_limit: RateLimit | None = None,
        key: Callable[[K], Hashable] | None = None,
        dedupe: bool | None = None,
        cache: Cache | int | None = None,
        batch_size_fn: Callable[[K], int] | None = None,
        timeout: float | None = None,
        name: str = "",
    ) -> None:
        if not (callable(fn) or isinstance(fn, NativeFunction)):
            raise InvalidArgument(f"a batch function must be callable, not {fn!r}")
        self._options = Options(
            max_batch_size=max_batch_size,
            max_batch_weight=max_batch_weight,
            batch_wait_timeout_s=batch_wait_timeout_s,
            max_concurrent_batches=max_concurrent_batches,
            max_queue_size=max_queue_size,
            on_full=on_full,
            rate_limit=rate_limit,
            key=key,
            dedupe=dedupe,
            cache=cache,
            batch_size_fn=batch_size_fn,
            timeout=timeout,
            name=name or _name_of(fn),
        )
        super().__init__(fn, _is_async(fn), self._options.native())
        self.__doc__ = getattr(fn, "__doc__", None)
        self.__wrapped__ = fn
        _alive.add(self)

    @property
    def name(self) -> str:
        """What `stats` and metrics call it."""
        return self._options.name

    def configure(self, **changes: Unpack[LimitOptions]) -> None:
        """Change limits while it runs: those of the arguments of `Batcher` that are numbers or policies.

        >>> users.configure(max_batch_size=200, rate_limit=RateLimit(50))

        What is under way is not disturbed; what waits meets the new limits. Raises InvalidArgument, and then nothing
        was changed.
        """
        for option in changes:
            if option not in CONFIGURABLE:
                raise InvalidArgument(f"{option} cannot be changed; these can: {', '.join(CONFIGURABLE)}")
        changed = Options(**{**vars(self._options), **changes})
        limits = changed.native_limits()
        if changed.max_batch_weight is not None and changed.batch_size_fn is None:
            raise InvalidArgument("max_batch_weight needs a batch_size_fn that tells the weight of an item")
        self._configure(limits)
        self._options = changed

    def stats(self) -> Stats:
        """What it has done so far; a table in a notebook."""
        counted = self._stats()
        for what in ("batch_size", "wait", "service"):
            counted[what] = Histogram.from_bytes(counted[what])
        return Stats(name=self.name, **counted)

    def prometheus(self) -> str:
        """The metrics of this batcher in Prometheus's text format."""
        return prometheus_text([self.stats()])

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse new calls; finish what was accepted, or with ``cancel_futures`` cancel what has not started.

        With ``wait`` it returns when the last call of the function has. In a coroutine `await aclose()` instead: a loop
        that blocks could not finish its own batches, so ``wait=True`` raises RuntimeError there. May be called again.
        """
        if wait and _core.batch.loop_is_running():
            raise RuntimeError("shutdown(wait=True) would block the event loop: use `await batcher.aclose()`")
        drained = self._close(cancel_futures)
        if wait:
            drained.result()

    async def aclose(self, *, cancel_futures: bool = False) -> None:
        """`shutdown` for coroutines: returns when the last call of the function has."""
        await self._close(cancel_futures)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown(cancel_futures=error is not None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose(cancel_futures=error is not None)

    def __repr__(self) -> str:
        s = self.stats()
        state = "closed" if self.closed else f"{s.depth} waiting"
        return f"<headrace.batch.Batcher {self.name!r}: {s.submitted} items in {s.batches} batches, {state}>"

    def _repr_html_(self) -> str:
        return self.stats()._repr_html_()


def prometheus() -> str:
    """The metrics of every batcher of this process, by name, in Prometheus's text format."""
    return prometheus_text(sorted((b.stats() for b in list(_alive)), key=lambda s: s.name))


def _is_async(fn: object) -> bool:
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004


def _name_of(fn: object) -> str:
    return str(getattr(fn, "__name__", None) or getattr(fn, "name", None) or type(fn).__name__)
