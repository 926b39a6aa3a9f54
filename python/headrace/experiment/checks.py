"""Checks of one setting: each takes the value as TOML gave it and returns it, or raises InvalidArgument.

The messages continue the name of the key: "must be a whole number from 1, not 'many'".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from headrace.errors import InvalidArgument

Check = Callable[[Any], Any]


def whole(low: int, high: int | None = None) -> Check:
    """An integer from ``low`` to ``high``."""
    limits = f"from {low}" if high is None else f"from {low} to {high}"

    def check(value: Any) -> int:
        right = isinstance(value, int) and not isinstance(value, bool)
        if not right or value < low or (high is not None and value > high):
            raise InvalidArgument(f"must be a whole number {limits}, not {value!r}")
        return int(value)

    return check


def number(low: float, *, above: bool = False) -> Check:
    """A finite number of at least ``low``, or above it."""
    limits = f"above {low:g}" if above else f"of at least {low:g}"

    def check(value: Any) -> float:
        right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not right or value < low or (above and value == low):
            raise InvalidArgument(f"must be a number {limits}, not {value!r}")
        return float(value)

    return check


def choice(*names: str) -> Check:
    """One of ``names``."""

    def check(value: Any) -> str:
        if value not in names:
            raise InvalidArgument(f"must be one of {', '.join(names)}, not {value!r}")
        return str(value)

    return check


def text(value: Any) -> str:
    """Any string."""
    if not isinstance(value, str):
        raise InvalidArgument(f"must be a text in quotes, not {value!r}")
    return value


def nonempty(value: Any) -> str:
    """A string with something in it, on one line."""
    if not text(value).strip() or "\n" in value or "\0" in value:
        raise InvalidArgument(f"must be a text of one line that is not empty, not {value!r}")
    return str(value)
