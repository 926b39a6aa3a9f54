"""From what a run recorded to its figures and files. One case is in memory at a time; every file is written whole.

Used by ``RunFolder.close`` (files), and by ``load`` for runs that were cut (in memory).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from headrace.errors import HeadraceError, IoError
from headrace.results import atomic, export, metrics, samples, series
from headrace.results.schema import SUMMARY
from headrace.results.verdict import CaseFacts, Counts, Rates, Verdict, apply_expect, judge, worst

if TYPE_CHECKING:
    from headrace.results.run import Run


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The figures of one case: as measured (``verdict``) and after ``expect`` (``final``)."""

    label: str
    row: dict[str, Any]
    verdict: Verdict
    final: Verdict
    joined: samples.Joined


def label(entry: dict[str, Any]) -> str:
    """How reasons name the case: its name, with the repeat when there are several."""
    return entry["name"] if entry.get("repeat", 1) == 1 else f"{entry['name']} (repeat {entry['repeat']})"


def analyse(path: Path, entry: dict[str, Any]) -> CaseResult:
    """Joins and judges one case of the run folder ``path``; ``entry`` is its object in run.json."""
    facts = CaseFacts.from_json(entry.get("facts") or {})
    inputs = samples.Inputs.find(path / entry["folder"])
    if inputs:
        joined = samples.join(inputs, case=entry["name"], repeat=entry["repeat"])
    else:
        joined = samples.Joined(Counts(), samples.SCHEMA.empty_table())
    return figures(joined, entry, facts)


def figures(joined: samples.Joined, entry: dict[str, Any], facts: CaseFacts) -> CaseResult:
    """The verdict and the summary row of a joined case."""
    times = metrics.Times.of(joined.table).after(facts.warmup_s)
    measured: Rates = metrics.rates(times)
    verdict = judge(joined.counts, measured, facts)
    expect = entry.get("expect")
    row = metrics.summary_row(entry["name"], entry["repeat"], times, joined.counts, facts, verdict, expect)
    return CaseResult(label(entry), row, verdict, apply_expect(verdict, expect), joined)


def run_verdict(document: dict[str, Any], cases: Sequence[tuple[str, Verdict]]) -> Verdict:
    """The verdict of the run: the worst case, or ``failed`` when the run itself failed or was interrupted."""
    overall = worst(cases)
    failures = list(document.get("failures", ()))
    if document["state"] == "interrupted" and not failures:
        failures = ["the run was interrupted"]
    if failures:
        return Verdict(
            "failed", (*failures, *(r for r in overall.reasons if r not in failures)), overall.notes
        )
    return overall


class _Steps:
    """Runs every step although an earlier one failed to write; the first such error is raised at the end."""

    def __init__(self) -> None:
        self.error: HeadraceError | None = None

    def __call__(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except IoError as error:
            self.error = self.error or error
        except OSError as error:
            self.error = self.error or IoError(f"cannot finish the run folder: {error}")
        return None


def finish(path: Path, document: dict[str, Any], *, exports: bool, report: bool) -> Run:
    """Writes every file of a finished run and returns it loaded. Raises IoError after doing what could be done."""
    from headrace.results.run import load

    step = _Steps()
    rows: list[dict[str, Any]] = []
    verdicts: list[tuple[str, Verdict]] = []
    tables: list[pa.Table] = []
    with _SampleWriter(path / "samples.parquet") as writer:
        for entry in document["cases"]:
            result = step(lambda entry=entry: analyse(path, entry))  # type: ignore[misc]
            if result is None:
                verdicts.append((label(entry), Verdict("failed", (str(step.error),))))
                continue
            rows.append(result.row)
            verdicts.append((result.label, result.final))
            entry["verdict"], entry["reasons"] = result.verdict.verdict, list(result.verdict.reasons)
            entry["notes"] = list(result.verdict.notes)
            tables.append(series.derive(result.joined.table))
            step(lambda result=result: writer.write(result.joined.table))  # type: ignore[misc]
            if exports:
                anchor = document["anchor"]
                step(lambda r=result, e=entry: export.write_case(path, e, r.joined, anchor))  # type: ignore[misc]
        step(writer.close)
    step(lambda: series.store(path, series.merge(series.read_lines(path / "series.jsonl"), tables)))
    step(lambda: write_summary(path, rows))
    verdict = run_verdict(document, verdicts)
    document |= {"verdict": verdict.verdict, "reasons": list(verdict.reasons), "notes": list(verdict.notes)}
    step(lambda: atomic.write_json(path / "run.json", document))
    run = load(path)
    if report:
        from headrace import report as html

        step(lambda: html.write(run))
    if step.error is not None:
        raise step.error
    return run


def write_summary(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """summary.json (a list of objects) and summary.csv, one row per case, columns of schema.SUMMARY."""
    atomic.write_json(path / "summary.json", list(rows))
    columns = {c.name: pa.array([r[c.name] for r in rows], getattr(pa, _ARROW[c.type])()) for c in SUMMARY}
    with atomic.replacing(path / "summary.csv") as temporary:
        pyarrow.csv.write_csv(pa.table(columns), temporary)


_ARROW = {"double": "float64", "string": "string", "int32": "int32", "int64": "int64"}


class _SampleWriter:
    """samples.parquet, written case by case under a temporary name and renamed by close()."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._context: Iterator[Path] | Any = atomic.replacing(path)
        self._temporary: Path = self._context.__enter__()
        self._writer: pq.ParquetWriter | None = None
        self._done = False

    def write(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._temporary, table.schema, compression="zstd")
        self._writer.write_table(_conform(table, self._writer.schema), row_group_size=1 << 20)

    def close(self) -> None:
        if self._done:
            return
        self._done = True
        if self._writer is None:
            pq.write_table(samples.SCHEMA.empty_table(), self._temporary)
        else:
            self._writer.close()
        self._context.__exit__(None, None, None)

    def __enter__(self) -> _SampleWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._done:
            self._done = True
            self._temporary.unlink(missing_ok=True)


def _conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """``table`` with the columns of ``schema``: those it lacks are null, those beyond are left out."""
    columns = [
        table[f.name].cast(f.type) if f.name in table.column_names else pa.nulls(len(table), f.type)
        for f in schema
    ]
    return pa.table(columns, schema=schema)


def read_summary(path: Path) -> list[dict[str, Any]]:
    """The rows of summary.json. Raises IoError when it is not what write_summary() writes."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IoError(f"cannot read {path}: {error}") from error
    if not isinstance(rows, list):
        raise IoError(f"cannot read {path}: it is not a list of cases")
    return rows
