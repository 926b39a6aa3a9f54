"""What the report asks of a part: which figures stand in its tables, and what one case looks like.

``experiment/part.py`` says how a part is put together. A module ``headrace.report.<part>_view`` holds ``VIEW``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.results.part import part_name
from headrace.results.run import Case, Run

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """A column of the summary in the table of cases: medians over repeats, or their ``total``."""

    column: str
    heading: str
    show: Callable[[Any], str]
    total: bool = False  #: of counts
    zero: bool = False  #: anything else is shown as an error
    repeats: bool = True  #: also in the table of a case's repeats


@dataclass(frozen=True)
class Tile:
    """A key figure of a run with a single case."""

    name: str
    value: str
    more: str
    bad: bool = False


@dataclass(frozen=True)
class View:
    """One kind of experiment, as its report sees it. Functions return HTML in which all data went through ``esc``."""

    meaning: Mapping[str, str]  #: verdict -> what it means here, where the part says more than the page
    cells: tuple[Cell, ...]
    ranges: tuple[str, ...]  #: durations; the first that was measured is drawn from p50 to p99
    tiles: Callable[[Sequence[Row]], list[Tile]]  #: from the summary rows of the repeats
    case: Callable[[Case], str]  #: tables and charts of one repeat
    files: Mapping[str, str]  #: name in the run folder -> what it holds, where the part has a word for it


def view_of(run: Run) -> View:
    """How this run is shown."""
    found: View = importlib.import_module(f"headrace.report.{part_name(run.document)}_view").VIEW
    return found
