"""Writing for people and for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any


def write_json(data: Any, stream: IO[str] | None = None) -> None:
    """``data`` as JSON, NaN as null."""
    from headrace.results.atomic import jsonable

    print(json.dumps(jsonable(data), indent=1, ensure_ascii=False), file=stream or sys.stdout)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> None:
    """A table on standard output. The first ``words`` columns align left; the rest, numbers, right."""
    from rich.console import Console
    from rich.table import Table

    view = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(head):
        view.add_column(name, justify="left" if number < words else "right", overflow="fold")
    for row in rows:
        view.add_row(*row)
    console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    console.print(view)


def quantity(value: Any, digits: int = 0) -> str:
    """``12,345`` or ``0.123``; a dash for what was not measured."""
    missing = value is None or value != value
    return "-" if missing else f"{value:,.{digits}f}"
