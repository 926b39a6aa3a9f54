"""From what a run recorded to its figures and files. One case is in memory at a time; every file is written
whole.

Used by ``RunFolder.close`` (files), and by ``load`` for runs that were cut (in memory).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from headrace.errors import IoError
from headrace.results import atomic, export, samples, series
from headrace.results.part import figures_of
from headrace.results.schema import Column
from headrace.results.verdict import Verdict, worst

if TYPE_CHECKING:
    from headrace.results.run import Run


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The figures of one case: as measured (``verdict``) and after ``expect`` (``final``)."""

    label: str
    row: dict[str, Any]
    verdict: Verdict
    final: Verdict
    joined: samples.Joined = field(default_factory=samples.Joined)


def label(entry: dict[str, Any]) -> str:
    """How reasons name the case: its name, with the repeat when there are several."""
    return entry["name"] if entry.get("repeat", 1) == 1 else f"{entry['name']} (repeat {entry['repeat']})"


def analyse(path: Path, document: dict[str, Any], entry: dict[str, Any]) -> CaseResult:
    """Joins and judges one case of the run folder ``path``; ``entry`` is its object in ``document``, the run.json.

    A case whose files cannot be read has failed; that is not an error of the run.
    """
    return figures_of(document).analyse(path, document, entry)


def run_verdict(document: dict[str, Any], cases: Sequence[tuple[str, Verdict]]) -> Verdict:
    """The verdict of the run: the worst case, or ``failed`` when the run itself failed or was interrupted."""
    overall = worst(cases)
    failures = list(document.get("failures", ()))
    if document["state"] == "interrupted" and not failures:
        failures = ["the run was interrupted"]
    if failures:
        return Verdict("failed", (*failures, *(r for r in overall.reasons if r not in failures)), overall.notes)
    return overall


def finish(path: Path, document: dict[str, Any], *, exports: bool, report: bool) -> Run:
    """Writes every file of a finished run and returns it loaded.

    Raises IoError (the first met) after doing what could be done.
    """
    from headrace.results.run import load

    work = _Finish(path, document)
    work.cases(exports)
    work.totals()
    run = load(path)
    if report:
        work.write_report(run)
    if work.error is not None:
        raise work.error
    return run


class _Finish:
    """The steps of ``finish``. A step that fails does not keep the later ones from running."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.error: IoError | None = None
        self._path = path
        self._document = document
        self._rows: list[dict[str, Any]] = []
        self._verdicts: list[tuple[str, Verdict]] = []
        self._series: list[pa.Table] = []

    @contextmanager
    def _step(self) -> Iterator[None]:
        try:
            yield
        except IoError as error:
            self.error = self.error or error
        except (OSError, pa.ArrowException) as error:
            self.error = self.error or IoError(f"cannot finish the run folder {self._path}: {error}")

    def cases(self, exports: bool) -> None:
        """Joins, judges, stores and exports one case after the other."""
        with _SampleWriter(self._path / "samples.parquet") as writer:
            for entry in self._document["cases"]:
                result = self._case(entry)
                with self._step():
                    writer.write(result.joined.table)
                if exports:
                    with self._step():
                        export.write_case(self._path, entry, result.joined, self._document["anchor"])
            with self._step():
                writer.close()

    def _case(self, entry: dict[str, Any]) -> CaseResult:
        result = analyse(self._path, self._document, entry)
        self._rows.append(result.row)
        self._verdicts.append((result.label, result.final))
        self._series.append(series.derive(result.joined.table))
        given = result.verdict
        entry |= {"verdict": given.verdict, "reasons": list(given.reasons), "notes": list(given.notes)}
        return result

    def totals(self) -> None:
        """Series and summary of all cases, and the verdict of the run."""
        with self._step():
            lines = series.read_lines(self._path / "series.jsonl")
            series.store(self._path, series.merge(lines, self._series))
        with self._step():
            write_summary(self._path, figures_of(self._document).columns, self._rows)
        verdict = run_verdict(self._document, self._verdicts)
        self._document |= {
            "verdict": verdict.verdict,
            "reasons": list(verdict.reasons),
            "notes": list(verdict.notes),
        }
        with self._step():
            atomic.write_json(self._path / "run.json", self._document)

    def write_report(self, run: Run) -> None:
        from headrace import report

        with self._step():
            report.write(run)


def write_summary(path: Path, columns: Sequence[Column], rows: Sequence[dict[str, Any]]) -> None:
    """summary.json (a list of objects) and summary.csv, one row per case, with the given columns."""
    atomic.write_json(path / "summary.json", list(rows))
    arrays = {c.name: pa.array([r[c.name] for r in rows], getattr(pa, _ARROW[c.type])()) for c in columns}
    with atomic.replacing(path / "summary.csv") as temporary:
        pyarrow.csv.write_csv(pa.table(arrays), temporary)


_ARROW = {"double": "float64", "string": "string", "int32": "int32", "int64": "int64"}


class _SampleWriter:
    """samples.parquet, written case by case under a temporary name and put in place by close()."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = atomic.temporary_name(path)
        self._writer: pq.ParquetWriter | None = None
        self._broken = False

    def write(self, table: pa.Table) -> None:
        if self._broken:
            return
        self._broken = True
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._temporary, samples.SCHEMA, compression="zstd")
        self._writer.write_table(table, row_group_size=1 << 20)
        self._broken = False

    def close(self) -> None:
        """Raises IoError. A file that could not be written whole is not left behind."""
        if self._broken:
            return
        if self._writer is None:
            pq.write_table(samples.SCHEMA.empty_table(), self._temporary)
        else:
            self._writer.close()
        atomic.put_in_place(self._temporary, self._path)

    def __enter__(self) -> _SampleWriter:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            if self._writer is not None:
                self._writer.close()
        self._temporary.unlink(missing_ok=True)


def read_summary(path: Path) -> list[dict[str, Any]]:
    """The rows of summary.json. Raises IoError when it is not what write_summary() writes."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IoError(f"cannot read {path}: {error}") from error
    if not isinstance(rows, list):
        raise IoError(f"cannot read {path}: it is not a list of cases")
    return rows
