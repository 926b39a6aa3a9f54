"""What is sent: URLs, and lists of them in files as siege reads them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from headrace.errors import InvalidArgument, IoError

_METHOD = re.compile(r"[A-Z]+")


@dataclass(frozen=True)
class Request:
    """One line of a list. ``method`` empty: that of the call; ``body`` empty likewise."""

    url: str
    method: str = ""
    body: bytes = b""


def with_scheme(url: str) -> str:
    """``url`` as it is, or with ``http://`` before ``host:port`` as curl and siege allow."""
    return url if "://" in url else f"http://{url}"


def read_requests(path: str | os.PathLike[str]) -> list[Request]:
    """The lines ``URL [METHOD [BODY]]`` of a file; ``#`` begins a comment; ``METHOD <FILE`` takes the body from a file.

    Raises IoError when a file cannot be read, InvalidArgument when there is no URL in it or a line has a bad method.
    """
    file = Path(path)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise IoError(f"cannot read the list of URLs {file}: {getattr(error, 'strerror', None) or error}") from None
    found = [_request(line, file, number) for number, line in enumerate(map(str.strip, lines), 1) if _counts(line)]
    if not found:
        raise InvalidArgument(f"{file} has no URL; write one a line, as in: http://127.0.0.1:8000/ POST name=value")
    return found


def _counts(line: str) -> bool:
    return bool(line) and not line.startswith("#")


def _request(line: str, file: Path, number: int) -> Request:
    url, _, rest = line.partition(" ")
    method, _, body = rest.strip().partition(" ")
    if method and not _METHOD.fullmatch(method):
        raise InvalidArgument(f"{file}, line {number}: {method!r} is not a method; write URL [METHOD [BODY]]")
    if not body.startswith("<"):
        return Request(url, method, body.encode())
    source = file.parent / body[1:].strip()
    try:
        return Request(url, method, source.read_bytes())
    except OSError as error:
        raise IoError(f"{file}, line {number}: cannot read {source}: {error.strerror}") from None
