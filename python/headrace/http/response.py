"""What handlers return when bytes, str, dict or list do not say it all."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any

__all__ = ["Accepted", "Body", "Response"]

Body = bytes | bytearray | memoryview | str | dict[str, Any] | list[Any] | Iterator[Any] | AsyncIterator[Any] | None


class Response:
    """An answer with its status, header fields and content type.

    Args:
        body: bytes; str (``text/plain``); dict or list (JSON); a generator of bytes or str, streamed; None: empty.
        status: 200 to 599.
        headers: a mapping or pairs. Content-Length, Transfer-Encoding, Connection and Date are the server's own.
        content_type: None: what the body's type says.
    """

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self,
        body: Body = None,
        status: int = 200,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        content_type: str | None = None,
    ) -> None:
        self.body = body
        self.status = status
        self.headers = headers
        self.content_type = content_type

    def __repr__(self) -> str:
        return f"<headrace.http.Response {self.status}>"


class Accepted:
    """Returned by a handler: answer 202 now, and call ``function(*args, **kwargs)`` on the route's executor afterwards.

    The answer has a Location and ``{"id", "status_url"}``; that URL says ``{"id", "state"}`` with the state ``queued``,
    ``running``, ``done`` or ``failed``. Work that waits is bounded by the route's ``max_queue_size``: without room the
    answer is 503. It is counted, see `RouteStats`: `detached` and `detached_finished`. What it raises is logged.
    """

    __slots__ = ("_call",)

    def __init__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        if not callable(function):
            raise TypeError(f"Accepted() takes a function and its arguments, not {function!r}")
        self._call = functools.partial(function, *args, **kwargs)

    def run(self) -> Any:
        """Call it."""
        return self._call()

    def __repr__(self) -> str:
        return f"<headrace.http.Accepted {self._call.func!r}>"
