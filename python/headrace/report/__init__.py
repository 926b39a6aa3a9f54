"""report.html: one self-contained page per run, for a phone as for a desk, light or dark, without a
network."""

from __future__ import annotations

from pathlib import Path

from headrace.errors import InvalidArgument
from headrace.results import atomic
from headrace.results.run import Run, load

__all__ = ["write"]


def write(run: Run | str | Path, path: str | Path | None = None) -> Path:
    """Writes the report of ``run`` (or of the run folder) to ``path``, by default report.html in its folder.

    Returns the path. Raises IoError when it cannot be written, and what ``load`` raises.
    """
    from headrace.report.page import render

    loaded = run if isinstance(run, Run) else load(run)
    if path is None and loaded.path is None:
        raise InvalidArgument("a run made from CSVs has no folder: say where the report shall be written")
    target = Path(path) if path is not None else Path(loaded.path or ".") / "report.html"
    atomic.write_text(target, render(loaded))
    return target
