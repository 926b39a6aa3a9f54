"""What a case without messages leaves in its folder: named figures, and one histogram per duration.

Programs of parts that count items rather than follow each (``detail = "summary"``) write a ``Recording``; the
part's figures read it back, also from a run that was never closed. Durations are nanoseconds.

=================  ==========================================================================================
``figures.json``   one object: counts, rates and texts, as the part's columns are called
``<name>.hist``    a ``measure.Histogram`` of the duration ``<name>``, three significant digits
=================  ==========================================================================================
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from headrace.errors import IoError
from headrace.measure import Histogram
from headrace.results import atomic
from headrace.results.schema import PERCENTILES

_FIGURES = "figures.json"


@dataclass
class Recording:
    """Figures and histograms of one case. Threads: one at a time."""

    figures: dict[str, Any] = field(default_factory=dict)
    histograms: dict[str, Histogram] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.figures or self.histograms)

    def histogram(self, name: str) -> Histogram:
        """The histogram of the duration ``name``, made when it is asked for the first time."""
        return self.histograms.setdefault(name, Histogram())

    def save(self, folder: Path) -> None:
        """Writes everything into ``folder``, each file whole. Raises IoError."""
        for name, histogram in self.histograms.items():
            with atomic.replacing(folder / f"{name}.hist") as temporary:
                temporary.write_bytes(histogram.to_bytes())
        atomic.write_json(folder / _FIGURES, self.figures)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What ``save`` wrote; empty when nothing was. Raises IoError for a file that cannot be read."""
        recording = cls()
        path = folder / _FIGURES
        try:
            if path.is_file():
                recording.figures = dict(json.loads(path.read_text(encoding="utf-8")))
            for path in sorted(folder.glob("*.hist")):
                recording.histograms[path.stem] = Histogram.from_bytes(path.read_bytes())
        except (OSError, ValueError, TypeError) as error:
            raise IoError(f"cannot read {path}: {error}") from error
        return recording

    def milliseconds(self, name: str) -> dict[str, float]:
        """``<name>_p50`` ... ``<name>_max`` and ``<name>_avg`` in ms; NaN for what was not measured."""
        histogram = self.histograms.get(name)
        keys = (*PERCENTILES, "max", "avg")
        if histogram is None or histogram.count == 0:
            return {f"{name}_{key}": math.nan for key in keys}
        values = [*histogram.percentiles(list(PERCENTILES.values())), histogram.max, histogram.mean]
        return {f"{name}_{key}": value / 1e6 for key, value in zip(keys, values, strict=True)}


def number(figures: Mapping[str, Any], name: str, default: float = math.nan) -> float:
    """A figure as a number; ``default`` when it was not given."""
    value = figures.get(name)
    return default if value is None else float(value)
