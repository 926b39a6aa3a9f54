"""What worker processes run for ``process`` routes."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

from headrace import _core
from headrace.errors import InvalidArgument
from headrace.exec.wire import dumps
from headrace.http.declared import Handler
from headrace.http.failures import UNKNOWN, HTTPError

__all__ = ["RouteCall", "RouteWork", "pack_call"]


class RouteCall:
    """A request in, an answer out, both as bytes."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, head: bytes, body: bytes) -> bytes:
        try:
            return _core.http.pack_answer(self.handler(_core.http.unpack_request(head, body)))
        except BaseException as error:
            return _raised(error)


class RouteWork:
    """Accepted work."""

    def __call__(self, work: bytes) -> bytes:
        try:
            pickle.loads(work).run()
            return _core.http.pack_answer(None)
        except BaseException as error:
            return _raised(error)


def pack_call(name: str, handler: Handler) -> bytes:
    """The call of a route, pickled. Raises InvalidArgument for a handler that cannot be sent."""
    try:
        return dumps(RouteCall(handler))
    except Exception as error:
        raise InvalidArgument(
            f"{name}: the handler cannot be sent to a worker process, because of what it refers to: {error}"
        ) from error


def _raised(error: BaseException) -> bytes:
    if isinstance(error, HTTPError):
        return _core.http.pack_raised(error.status, f"{error.text}\n", "")
    return _core.http.pack_raised(500, f"{UNKNOWN}\n", _text(error))


def _text(error: BaseException) -> str:
    try:
        lines: Any = traceback.format_exception(error)
        return "".join(lines).encode(errors="backslashreplace").decode()
    except Exception:
        return f"{type(error).__qualname__} (its text could not be made)"
