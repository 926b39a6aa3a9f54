"""Handlers that raise: what the client is told, and what the log is told."""

from __future__ import annotations

import http
import logging

__all__ = ["UNKNOWN", "HTTPError", "answer_error", "log_text"]

_log = logging.getLogger("headrace.http")
UNKNOWN = "the request could not be handled"


class HTTPError(Exception):
    """Raised by a handler to answer ``status`` with ``text``; it is no failure of the handler and is not logged."""

    def __init__(self, status: int, text: str = "") -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"the status of an HTTPError is 400 to 599, not {status}")
        super().__init__(status, text)
        self.status = status
        self.text = text or _phrase(status)

    def __str__(self) -> str:
        return f"{self.status} {self.text}"


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "error"


def answer_error(route: str, error: BaseException) -> tuple[int, str]:
    """Status and text for the client. Never says what was raised: that goes to the log, with the route."""
    if isinstance(error, HTTPError):
        return error.status, f"{error.text}\n"
    _log.error("%s: the handler raised", route, exc_info=error)
    return 500, f"{UNKNOWN}\n"


def log_text(route: str, text: str) -> None:
    """The same for what a worker process raised, whose traceback comes as text."""
    _log.error("%s: the handler raised\n%s", route, text)
