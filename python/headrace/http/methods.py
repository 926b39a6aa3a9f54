"""``app.get`` and its siblings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from headrace.http.declared import Executor, Handler, OnFull

if TYPE_CHECKING:
    from headrace.http.app import App

__all__ = ["AddRoute"]

_H = TypeVar("_H", bound=Handler)


class AddRoute:
    """`App.route` for one method; with ``native`` a C++ handler, at once: ``app.get("/metrics", native="metrics")``."""

    def __init__(self, app: App, method: str) -> None:
        self._app = app
        self._method = method

    @overload
    def __call__(self, pattern: str, *, native: str) -> None: ...
    @overload
    def __call__(
        self,
        pattern: str,
        *,
        executor: Executor | None = None,
        concurrency: int | None = None,
        max_queue_size: int | None = None,
        on_full: OnFull = "reject",
        deadline: float | None = None,
    ) -> Callable[[_H], _H]: ...
    def __call__(self, pattern: str, *, native: str | None = None, **options: Any) -> Any:
        if native is None:
            return self._app.route(pattern, (self._method,), **options)
        if options:
            raise TypeError(f"{self._method} {pattern}: a native route takes no {', '.join(options)}")
        return self._app.native_route(self._method, pattern, native)
