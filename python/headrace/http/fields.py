"""The fields of requests as Python has them."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator, Mapping

__all__ = ["Headers", "json_dumps", "json_loads", "query_params"]

json_loads = json.loads
json_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def query_params(query: str) -> dict[str, list[str]]:
    """``a=1&a=2&b=`` as ``{"a": ["1", "2"], "b": [""]}``."""
    return urllib.parse.parse_qs(query, keep_blank_values=True)


class Headers(Mapping[str, str]):
    """Header fields by name, in any case. Fields of one name are joined by ``", "`` (RFC 9110, section 5.3).

    `all` gives them one by one, `pairs` as they were sent.
    """

    __slots__ = ("_by_name", "pairs")

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs
        self._by_name: dict[str, list[str]] = {}
        for name, value in pairs:
            self._by_name.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._by_name[name.lower()])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def all(self, name: str) -> list[str]:
        """The values of every field of this name, in order; empty when there is none."""
        return list(self._by_name.get(name.lower(), ()))

    def __repr__(self) -> str:
        return f"<headrace.http.Headers {dict(self)!r}>"
