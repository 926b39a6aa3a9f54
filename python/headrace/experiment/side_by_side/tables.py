"""The table of one group: a line per contender, medians over its rounds."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from typing import NamedTuple

from headrace.experiment.side_by_side.bars import Samples, spread, values


class Shown(NamedTuple):
    """A figure as a column."""

    title: str
    metric: str
    form: str  #: of ``str.format``, such as ``{:,.1f}``


def table(samples: Samples, columns: Sequence[Shown]) -> str:
    """Medians, and next to the first column its extremes. Columns that nobody has are left out."""
    used = [c for c in columns if any(values(runs, c.metric) for runs in samples.values())]
    if not used:
        return ""
    rows = [["contender", used[0].title, "min - max", *(c.title for c in used[1:])]]
    for name, runs in samples.items():
        cells = [_median(values(runs, c.metric), c.form) for c in used]
        rows.append([name, cells[0], _extremes(values(runs, used[0].metric), used[0].form), *cells[1:]])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        lines.append("  " + "  ".join(cells))
    return "\n".join(lines)


def _median(found: list[float], form: str) -> str:
    return form.format(spread(found).median) if found else "-"


def _extremes(found: list[float], form: str) -> str:
    return f"{form.format(min(found))} - {form.format(max(found))}" if found else "-"


def progress(text: str) -> None:
    """What is going on now, on a terminal only; empty text wipes the line."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def machine() -> str:
    """What the figures were measured on, in one line."""
    load = ", ".join(f"{x:.2f}" for x in os.getloadavg())
    return f"{platform.platform()}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}"
