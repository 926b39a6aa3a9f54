"""The request corpus of gunicorn (tests/requests of its source distribution, MIT): what is in it, and where we differ.

``script/bootstrap --all`` puts it into ``.venv/gunicorn-corpus``. A case is NAME.http, the bytes with their escapes,
and NAME.py, which says what gunicorn makes of them; that is read and never run.

Most of its HTTP/1.1 requests have no Host, which RFC 9112, 3.2 says to answer 400. `completed` adds one, so that a case
is about what it was written for.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(sys.prefix) / "gunicorn-corpus"
_ESCAPE = re.compile(rb"\\(r\\n|0|n|t|x[0-9A-Fa-f]{2})")
_HEAD = re.compile(rb"([^\r\n]* HTTP/1\.1\r\n)((?:[^\r\n]+\r\n)*)")
_HOST = re.compile(rb"(?im)^host[ \t]*:")


@dataclass(frozen=True)
class Difference:
    """A case that is answered otherwise than by gunicorn: what happens here, and the section that allows or asks it."""

    outcome: str
    section: str
    why: str


@dataclass(frozen=True)
class CorpusCase:
    """``requests``: how many gunicorn finds in ``data``. ``error``: its exception, empty for valid ones.

    ``settings`` are those of gunicorn that the case changes.
    """

    name: str
    data: bytes
    requests: int
    error: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def limits(self) -> dict[str, int]:
        """Settings of our server that are what gunicorn's limits are, where the case is about one; empty elsewhere."""
        if not self.error.startswith("LimitRequest"):
            return {}
        return {
            "max_request_line": 4094,
            "max_headers": self.settings.get("limit_request_fields", 100),
            "max_header_bytes": self.settings.get("limit_request_field_size") or 8190,
        }


_TWO_LINES = "chunked once, alone in one line: several lines are how requests are smuggled"
_ONE_CODING = "no coding but chunked is implemented, and 501 is the answer to that"
_PROXY = "the PROXY protocol is not HTTP; gunicorn reads it with proxy_protocol set"
_FOLD = "gunicorn takes it with permit_obsolete_folding set; a server may answer 400"

#: By folder and name.
DIFFERENCES = {
    "valid/005": Difference("400 close", "9112 3.2", "a request target has no fragment"),
    "valid/012": Difference("400 close", "9110 6.5.1", "Content-Type may not be a trailer"),
    "valid/014": Difference("400 close", "9112 3.2", "a quotation mark is in no URI"),
    "valid/025": Difference("400 close", "9112 6.1", _TWO_LINES),
    "valid/025_line": Difference("501 close", "9112 6.1", _ONE_CODING),
    "valid/028": Difference("400 close", "9112 5.1", "white space before the colon; gunicorn's strip_header_spaces"),
    "valid/029": Difference("400 close", "9112 6.1", _TWO_LINES),
    "valid/030": Difference("400 close", "9112 6.1", _TWO_LINES),
    "valid/099": Difference("close", "9112 8", "less content than Content-Length says: the request is incomplete"),
    "valid/compat_obs_fold": Difference("400 close", "9112 5.2", _FOLD),
    "valid/compat_obs_fold_huge": Difference("400 close", "9112 5.2", _FOLD),
    "valid/pp_01": Difference("400 close", "9112 3", _PROXY),
    "valid/pp_02": Difference("400 close", "9112 3", _PROXY),
    "valid/pp_04": Difference("400 close", "9112 3", _PROXY),
    "valid/pp_05": Difference("400 close", "9112 3", _PROXY),
    "valid/rfc9112_smuggle_gzip_chunked_01": Difference("501 close", "9112 6.1", _ONE_CODING),
    "valid/rfc9112_smuggle_te_identity_chunked_01": Difference("501 close", "9112 7", _ONE_CODING),
    "valid/rfc9112_target_absolute_userinfo_01": Difference("400 close", "9110 4.2.4", "user information is an error"),
    "valid/rfc9112_target_authority_connect_01": Difference("501 close", "9110 9.3.6", "CONNECT is for proxies"),
    "valid/rfc9112_target_authority_ipv6_01": Difference("501 close", "9110 9.3.6", "CONNECT is for proxies"),
    "invalid/019": Difference("200 close", "9110 5.1", "X-Forwarded-* are not interpreted, so cannot disagree"),
    "invalid/040": Difference("200 close", "9110 5.6.2", "an underscore is a token character; header_map=refuse"),
    "invalid/041": Difference("200 close", "9110 8.3", "two Content-Type lines frame nothing; handlers see both"),
    "invalid/chunked_07": Difference(
        "200 close", "9110 5.6.2", "an underscore is a token character; header_map=refuse"
    ),
}


def cases(kind: str) -> Iterator[CorpusCase]:
    """The cases of the folder ``kind``, "valid" or "invalid"."""
    for file in sorted((FOLDER / kind).glob("*.http")):
        yield _read(file)


def completed(data: bytes) -> bytes:
    """The same with a Host in each HTTP/1.1 request that has none."""

    def head(found: re.Match[bytes]) -> bytes:
        return found[0] if _HOST.search(found[2]) else found[1] + b"Host: corpus\r\n" + found[2]

    return _HEAD.sub(head, data)


def _read(file: Path) -> CorpusCase:
    settings: dict[str, Any] = {}
    request: ast.expr | None = None
    for node in ast.walk(ast.parse(file.with_suffix(".py").read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "set":
            name, value = node.args
            settings[ast.literal_eval(name)] = ast.literal_eval(value)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "request":
            request = node.value
    assert request is not None, f"{file}: no request"
    error = request.id if isinstance(request, ast.Name) and file.parent.name != "valid" else ""
    requests = len(request.elts) if isinstance(request, ast.List) else 1
    return CorpusCase(file.stem, _unescaped(file.read_bytes()), requests, error, settings)


def _unescaped(text: bytes) -> bytes:
    """As gunicorn's tests read it: line ends of the file mean nothing, those in the request are written out."""
    plain = {b"r\\n": b"\r\n", b"0": b"\0", b"n": b"\n", b"t": b"\t"}
    joined = text.replace(b"\n", b"")
    return _ESCAPE.sub(lambda m: plain[m[1]] if m[1] in plain else bytes([int(m[1][1:], 16)]), joined)
