"""Numbers as people read them: durations in ms, three significant digits, thousands separated."""

from __future__ import annotations

import html
import math
from typing import Any

DASH = "\u2013"  #: for what was not measured


def esc(value: Any) -> str:
    """``value`` as text that is safe in HTML and in attributes."""
    return html.escape(str(value), quote=True)


def known(value: Any) -> bool:
    """Whether ``value`` is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(value: Any, digits: int = 3) -> str:
    """Three significant digits below 1000, whole numbers above; a dash for what is not known."""
    if not known(value):
        return DASH
    if value == 0 or abs(value) >= 10 ** (digits - 1) or value == int(value):
        return f"{value:,.0f}"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(places, 9)}f}"


def ms(value: Any) -> str:
    """A duration given in milliseconds, with its unit."""
    return f"{number(value)} ms" if known(value) else DASH


def rate(value: Any) -> str:
    """Per second, with its unit."""
    return f"{number(value)} /s" if known(value) else DASH


def size(value: Any) -> str:
    """Bytes, in binary units."""
    if not known(value):
        return DASH
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{number(value)} {unit}"
        value /= 1024
    return f"{number(value)} TiB"
