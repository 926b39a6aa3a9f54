"""A conformance case: bytes in, the outcomes that the specification allows, and where it says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CRLF = b"\r\n"


@dataclass(frozen=True)
class Case:
    """``allowed``: outcomes as `exchange.Exchange` writes them, the usual one first. ``section``: "9112 6.1".

    ``body`` is what the first final response must carry; ``fields`` are names that it must have.
    """

    name: str
    section: str
    send: bytes | Sequence[Any]
    allowed: tuple[str, ...]
    body: bytes | None = None
    fields: tuple[str, ...] = ()
    heads: tuple[int, ...] = ()

    @property
    def responses(self) -> int:
        """How many final responses to wait for: one more than come where the outcome is silence."""
        return max(map(_finals, self.allowed))


def _finals(outcome: str) -> int:
    *statuses, ending = outcome.split()
    return sum(status != "100" for status in statuses) + (ending == "silent")


REFUSED = ("400 close",)
SERVED = ("200 open",)


def request(
    start: bytes = b"GET /hello HTTP/1.1", *lines: bytes, host: bytes | None = b"a", body: bytes = b""
) -> bytes:
    """A request: its first line, Host unless it is None, the lines, an empty line, the content."""
    hosts = [] if host is None else [b"Host: " + host]
    return CRLF.join([start, *hosts, *lines, b"", body])


def echo(*lines: bytes, body: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    """A POST to the route that sends its content back."""
    return request(b"POST /echo " + version, *lines, body=body)


def chunked(body: bytes) -> bytes:
    """The same with ``body`` as its chunks, written out."""
    return echo(b"Transfer-Encoding: chunked", body=body)


def table(section: str, allowed: tuple[str, ...], rows: dict[str, bytes], **more: Any) -> list[Case]:
    """Cases that share their section and what is allowed."""
    return [Case(name, section, send, allowed, **more) for name, send in rows.items()]
