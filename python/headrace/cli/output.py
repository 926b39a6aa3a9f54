"""Writing for people and for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import IO, Any


def write_json(data: Any, stream: IO[str] | None = None) -> None:
    """``data`` as JSON, NaN as null."""
    from headrace.results.atomic import jsonable

    print(json.dumps(jsonable(data), indent=1, ensure_ascii=False), file=stream or sys.stdout)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> None:
    """A table on standard output; the first ``words`` columns align left, the rest, numbers, right.

    A line break in a heading makes two lines. Nothing is folded or cut: it stays whole in a pipe.
    """
    heads = list(zip_longest(*(reversed(name.split("\n")) for name in head), fillvalue=""))
    lines = [*reversed(heads), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [c.ljust(w) if n < words else c.rjust(w) for n, (c, w) in enumerate(zip(line, widths, strict=True))]
        print("  ".join(cells).rstrip())


def quantity(value: Any, digits: int = 0) -> str:
    """``12,345`` or ``0.123``; a dash for what was not measured."""
    missing = value is None or value != value
    return "-" if missing else f"{value:,.{digits}f}"
