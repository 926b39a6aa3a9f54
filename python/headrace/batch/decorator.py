"""`headrace.batch(...)`: the module itself is the decorator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any, Protocol, TypeVar, Unpack, overload

from headrace.batch import native, options
from headrace.batch import stats as _stats
from headrace.batch.batcher import Batcher as _Batcher
from headrace.batch.batcher import NativeFunction, Results, prometheus
from headrace.batch.typed import BatcherOptions

K = TypeVar("K")
V = TypeVar("V")


class _Decorator(Protocol):
    """What `headrace.batch(max_batch_size=...)` returns."""

    @overload
    def __call__(self, fn: NativeFunction[K, V], /) -> _Batcher[K, V]: ...
    @overload
    def __call__(self, fn: Callable[[list[K]], Awaitable[Results[V]]], /) -> _Batcher[K, V]: ...
    @overload
    def __call__(self, fn: Callable[[list[K]], Results[V]], /) -> _Batcher[K, V]: ...


class BatchModule(ModuleType):
    """``headrace.batch``: call it to decorate a batch function; its attributes are the names of the part."""

    Batcher = _Batcher
    Cache = options.Cache
    RateLimit = options.RateLimit
    Stats = _stats.Stats
    redis_get = staticmethod(native.redis_get)
    redis_hget = staticmethod(native.redis_hget)
    sqlite = staticmethod(native.sqlite)
    prometheus = staticmethod(prometheus)

    @staticmethod
    def identity() -> NativeFunction[Any, Any]:
        """See `headrace.batch.native.identity`."""
        return native.identity()

    @overload
    def __call__(self, fn: NativeFunction[K, V], /, **settings: Unpack[BatcherOptions]) -> _Batcher[K, V]: ...
    @overload
    def __call__(
        self, fn: Callable[[list[K]], Awaitable[Results[V]]], /, **settings: Unpack[BatcherOptions]
    ) -> _Batcher[K, V]: ...
    @overload
    def __call__(
        self, fn: Callable[[list[K]], Results[V]], /, **settings: Unpack[BatcherOptions]
    ) -> _Batcher[K, V]: ...
    @overload
    def __call__(self, /, **settings: Unpack[BatcherOptions]) -> _Decorator: ...
    def __call__(self, fn: Any = None, /, **settings: Any) -> Any:
        """Make a `Batcher` of a batch function.

        >>> @headrace.batch(max_batch_size=200)
        ... def load_users(ids: list[int]) -> list[User | Exception]:
        ...     return fetch(ids)
        >>> user = await load_users(7)

        With or without arguments; they are those of `Batcher`. Raises InvalidArgument.
        """
        if fn is not None:
            return _Batcher(fn, **settings)
        return lambda function: _Batcher(function, **settings)
