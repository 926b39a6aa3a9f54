"""Asking an app under test, and handlers that worker processes import by name."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(url: str, path: str, *, method: str = "GET", body: bytes | None = None, timeout: float = 20.0) -> Answer:
    """One request on a connection of its own."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=timeout)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class Asking(threading.Thread):
    """`ask` in a thread: start it, then `answer()`."""

    def __init__(self, url: str, path: str, *, tolerant: bool = False, **how: Any) -> None:
        super().__init__(daemon=True)
        self._call = lambda: ask(url, path, **how)
        self._tolerant = tolerant
        self._answer: Answer | None = None
        self.start()

    def run(self) -> None:
        try:
            self._answer = self._call()
        except (OSError, http.client.HTTPException):
            if not self._tolerant:
                raise

    def answer(self) -> Answer:
        self.join(30)
        assert self._answer is not None
        return self._answer


def until(so: Callable[[], bool], timeout: float = 20.0) -> None:
    """Looks again and again; a test whose condition never comes fails here."""
    end = time.monotonic() + timeout
    while not so():
        assert time.monotonic() < end, "it never came to that"
        threading.Event().wait(0.002)
