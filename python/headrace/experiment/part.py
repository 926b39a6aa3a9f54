"""What the runner asks of a part: the keys of its cases, and how one of them runs.

A part is known by one word, the ``part`` of a spec, and has a face in three layers, all found by that word:

=========================================  ================================================================
``headrace.experiment.<part>_part.PART``   keys, cases, running one (``Part``, this file)
``headrace.results.<part>_figures``        columns of the summary, the verdict (``results/part.py``)
``headrace.report.<part>_view``            what report.html shows of it (``report/part.py``)
=========================================  ================================================================

Adding one: those three modules, and its word in ``results.part.PARTS``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from headrace._interrupt import Interrupt
from headrace.experiment.checks import Check
from headrace.experiment.progress import Progress

if TYPE_CHECKING:
    from headrace.results import CaseFacts


class Case(Protocol):
    """A case with every sweep resolved: a frozen dataclass of the part."""

    @property
    def total(self) -> int:
        """How many items the whole case has; 0 when nobody knows beforehand."""
        ...

    def to_json(self) -> dict[str, Any]:
        """The settings, for run.json."""
        ...

    def describe(self) -> str:
        """What is about to be done, in a few words: ``1,000 messages of 149 B from 1 to 5``."""
        ...


@dataclass(frozen=True)
class Setting:
    """What a case needs from the run around it."""

    folder: Path  #: of the run, for what must lie on the disk that the user chose
    segments: Path  #: folder for what is recorded
    anchor: tuple[int, int]  #: (monotonic ns, epoch ns) of the run
    seed: int
    append_series: Callable[[Mapping[str, Any]], None]
    set_server: Callable[[Mapping[str, Any]], None]  #: stores the configuration of the server in run.json
    progress: Progress
    interrupt: Interrupt
    module: str = ""  #: where children find their programs, when it is not the part's own


@dataclass(frozen=True)
class Part:
    """One kind of experiment, as the runner sees it."""

    name: str
    keys: Mapping[str, Check]  #: key of a case -> its check
    case: Callable[..., Any]  #: from keys to a Case; raises InvalidArgument for those that do not go together
    #: Raises NotFound, before anything is written, when something that the cases need is not installed.
    check: Callable[[Sequence[Any]], None]
    #: Runs one case to its end, whatever that is: what fails is in the facts. Tells ``progress.end()`` itself.
    run: Callable[[Any, Setting], CaseFacts]


def part(name: str) -> Part:
    """The part called ``name``, one of ``results.part.PARTS``."""
    found: Part = importlib.import_module(f"headrace.experiment.{name}_part").PART
    return found
