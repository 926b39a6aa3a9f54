"""What results ask of a part: the columns of its summary, and how a recorded case becomes a row and a verdict.

``experiment/part.py`` says how a part is put together. A module ``headrace.results.<part>_figures`` holds
``FIGURES``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headrace.errors import InvalidArgument
from headrace.results.schema import Column

if TYPE_CHECKING:
    from headrace.results.build import CaseResult

#: The parts that can be measured, by the word that a spec has for them.
PARTS: Final = ("mq", "batching", "http")
#: Of specs that name none, and of runs made before there were others.
DEFAULT_PART: Final = "mq"


@dataclass(frozen=True)
class Shown:
    """A column of the summary as a table on a terminal has it."""

    column: str
    heading: str  #: a line break makes two lines
    digits: int = 0


@dataclass(frozen=True)
class Figures:
    """One kind of experiment, as results see it."""

    columns: tuple[Column, ...]  #: of the summary: case and repeat, the part's own, then the common ones
    metrics: tuple[str, ...]  #: what ``compare`` compares unless told otherwise
    durations: tuple[str, ...]  #: the first words of percentile columns; ``p99`` alone speaks of the first
    shown: tuple[Shown, ...]  #: what ``headrace run`` prints
    glance: tuple[str, ...]  #: columns that a notebook shows of a run
    #: (run folder, run.json, the case's object in it) -> figures. A case that cannot be read has failed.
    analyse: Callable[[Path, dict[str, Any], dict[str, Any]], CaseResult]

    def __post_init__(self) -> None:
        known = {c.name for c in self.columns}
        unknown = {*self.metrics, *(s.column for s in self.shown), *self.glance} - known
        if unknown:
            raise InvalidArgument(f"{', '.join(sorted(unknown))}: no columns of the summary")

    @property
    def units(self) -> dict[str, str]:
        """Numeric columns with their units."""
        return {c.name: c.unit for c in self.columns if c.type in ("double", "int64")}


def part_name(document: Mapping[str, Any]) -> str:
    """Which part the run of this run.json belongs to. Raises InvalidArgument for one that is not known here."""
    experiment = (document.get("spec") or {}).get("experiment")
    name = experiment.get("part", DEFAULT_PART) if isinstance(experiment, Mapping) else DEFAULT_PART
    if name not in PARTS:
        raise InvalidArgument(f"a run of part {name!r}, and this headrace knows {', '.join(PARTS)}: use a newer one")
    return str(name)


def figures_of(document: Mapping[str, Any]) -> Figures:
    """How the figures of this run are made."""
    return figures(part_name(document))


def figures(name: str) -> Figures:
    """How the figures of the part called ``name`` are made."""
    found: Figures = importlib.import_module(f"headrace.results.{name}_figures").FIGURES
    return found
