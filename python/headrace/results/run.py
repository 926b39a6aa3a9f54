"""Reading runs: ``load`` for run folders in any state, ``from_csv`` for what the seed's programs print."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.errors import InvalidArgument, IoError, NotFound
from headrace.results import atomic, build, metrics, samples, series
from headrace.results.folder import FORMAT, FORMAT_VERSION, command_text
from headrace.results.machine import is_alive
from headrace.results.part import Figures, figures_of
from headrace.results.verdict import EXIT_CODES, CaseFacts, Counts, Verdict

if TYPE_CHECKING:
    import pandas as pd


class Run:
    """One run: what was asked, on which machine, what happened, and whether the figures may be used.

    DataFrames are made on first use. Columns and units: docs/results.md.

    Attributes:
        path: the run folder; None for a run made from CSVs.
        state: ``finished``, ``interrupted``, ``running`` (its runner is alive) or ``cut`` (its runner is
            gone).
        verdict: ``valid``, ``generator-limited``, ``invalid`` or ``failed``; ``running`` while the runner
            is alive.
        reasons, notes: sentences; notes do not change the verdict.
        anchor: (monotonic ns, epoch ns) of one moment; see ``to_epoch_ns``.
    """

    def __init__(self, document: dict[str, Any], path: Path | None = None) -> None:
        self.path = path
        self.document = document
        self.name: str = document["name"]
        self.state: str = document["state"]
        self.verdict: str = document["verdict"]
        self.reasons: list[str] = list(document.get("reasons") or ())
        self.notes: list[str] = list(document.get("notes") or ())
        self.spec: dict[str, Any] = document.get("spec") or {}
        self.seed: int | None = document.get("seed")
        self.machine: dict[str, Any] = document.get("machine") or {}
        self.versions: dict[str, Any] = document.get("versions") or {}
        self.server: dict[str, Any] = document.get("server") or {}
        self.command: list[str] = document.get("command") or []
        self.started: str | None = document.get("started")
        self.ended: str | None = document.get("ended")
        anchor = document.get("anchor") or {}
        self.anchor: tuple[int, int] = (anchor.get("monotonic_ns", 0), anchor.get("epoch_ns", 0))
        self._results: list[build.CaseResult] | None = None

    @property
    def exit_code(self) -> int:
        """0 valid, 3 invalid or generator-limited, 1 failed (or still running)."""
        return EXIT_CODES.get(self.verdict, 1)

    @cached_property
    def figures(self) -> Figures:
        """The columns of the summary, which depend on the part, and how they are shown."""
        return figures_of(self.document)

    @cached_property
    def cases(self) -> list[Case]:
        """The cases in the order in which they ran."""
        return [Case(self, entry) for entry in self.document["cases"]]

    def case(self, name: str, repeat: int = 1) -> Case:
        """The case called ``name``. Raises InvalidArgument, with the known names, when there is none."""
        for case in self.cases:
            if (case.name, case.repeat) == (name, repeat):
                return case
        known = ", ".join(dict.fromkeys(c.name for c in self.cases)) or "none"
        raise InvalidArgument(f"run {self.name!r} has no case {name!r}, repeat {repeat}; its cases: {known}")

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row per id and receipt, in producer order; times are ns (Int64), NA when they never
        happened."""
        return samples.to_pandas(self.samples_arrow())

    @cached_property
    def series(self) -> pd.DataFrame:
        """One row per second and case."""
        return samples.to_pandas(self._series_table())

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per case: the part's own columns (message queues: the seed's sixteen metrics), then percentiles,
        counts, rates, bound and verdict."""
        import pandas as pd

        rows, columns = self._summary_rows, self.figures.columns
        names = [c.name for c in columns]
        names += [n for n in dict.fromkeys(n for r in rows for n in r) if n not in names]
        frame = pd.DataFrame(rows, columns=names)
        kinds = {"double": "float64", "int32": "Int32", "int64": "Int64", "string": "string"}
        return frame.astype({c.name: kinds[c.type] for c in columns})

    def samples_arrow(self, columns: Sequence[str] | None = None, case: Case | None = None) -> pa.Table:
        """The samples as an Arrow table; only some columns, only one case, when asked."""
        stored = self._file("samples.parquet")
        if stored is None:
            table = samples.concat(r.joined.table for r in self._analysed())
            if case is not None:
                mask = [(c, r) == (case.name, case.repeat) for c, r in zip(*_keys(table), strict=True)]
                table = table.filter(pa.array(mask, pa.bool_()))
            return table if columns is None else table.select(columns)
        where = None if case is None else [("case", "=", case.name), ("repeat", "=", case.repeat)]
        try:
            return pq.read_table(stored, columns=None if columns is None else list(columns), filters=where)
        except (OSError, pa.ArrowException) as error:
            raise IoError(f"cannot read {stored}: {error}") from error

    def to_epoch_ns(self, monotonic_ns: Any) -> Any:
        """Times of samples as ns since 1970-01-01 UTC. Takes numbers, arrays and Series."""
        return monotonic_ns - self.anchor[0] + self.anchor[1]

    def _file(self, name: str) -> Path | None:
        path = None if self.path is None else self.path / name
        return path if path is not None and path.is_file() else None

    def _series_table(self) -> pa.Table:
        stored = self._file("series.parquet")
        if stored is not None:
            try:
                return pq.read_table(stored)
            except (OSError, pa.ArrowException) as error:
                raise IoError(f"cannot read {stored}: {error}") from error
        lines = Path() if self.path is None else self.path / "series.jsonl"
        return series.merge(series.read_lines(lines), [series.derive(r.joined.table) for r in self._analysed()])

    @cached_property
    def _summary_rows(self) -> list[dict[str, Any]]:
        stored = self._file("summary.json")
        return [r.row for r in self._analysed()] if stored is None else build.read_summary(stored)

    def _analysed(self) -> list[build.CaseResult]:
        """The figures made from the recorded segments, for runs that were never closed."""
        if self._results is None:
            assert self.path is not None
            self._results = [build.analyse(self.path, self.document, entry) for entry in self.document["cases"]]
        return self._results

    def __repr__(self) -> str:
        where = f" {self.path}" if self.path else ""
        return f"<Run {self.name!r} {self.verdict.upper()}, {len(self.cases)} cases{where}>"

    def _repr_html_(self) -> str:
        head = f"<b>{html.escape(self.name)}</b>: {html.escape(self.verdict.upper())}"
        reasons = "".join(f"<li>{html.escape(r)}</li>" for r in self.reasons)
        shown = ["case", "repeat", *self.figures.glance, "verdict"]
        table = self.summary[shown].to_html(index=False, float_format=lambda v: f"{v:,.3f}", na_rep="", border=0)
        return f"<div>{head}<ul>{reasons}</ul>{table}</div>"


def _keys(table: pa.Table) -> tuple[list[Any], list[Any]]:
    return table["case"].to_pylist(), table["repeat"].to_pylist()


class Case:
    """One case of a run, one repeat of it."""

    def __init__(self, run: Run, entry: dict[str, Any]) -> None:
        self.run = run
        self.entry = entry
        self.name: str = entry["name"]
        self.repeat: int = entry.get("repeat", 1)
        self.params: dict[str, Any] = entry.get("params") or {}
        self.expect: str | None = entry.get("expect")
        self.facts = CaseFacts.from_json(entry.get("facts") or {})

    @property
    def label(self) -> str:
        """The name, with the repeat when it is not the first."""
        return build.label(self.entry)

    @property
    def summary(self) -> dict[str, Any]:
        """The row of the run's summary as a dict; what was not measured is None."""
        for row in self.run._summary_rows:
            if (row["case"], row.get("repeat", 1)) == (self.name, self.repeat):
                return {k: atomic.jsonable(v) for k, v in row.items()}
        return dict.fromkeys(c.name for c in self.run.figures.columns)

    @property
    def counts(self) -> Counts:
        return Counts.of({k: v or 0 for k, v in self.summary.items()})

    @property
    def verdict(self) -> str:
        """As measured, before ``expect`` is applied."""
        return str(self.summary["verdict"] or "failed")

    @property
    def reasons(self) -> list[str]:
        stored = self.entry.get("reasons")
        if stored is not None:
            return list(stored)
        text = self.summary["reasons"]
        return text.split("; ") if text else []

    @property
    def samples(self) -> pd.DataFrame:
        return samples.to_pandas(self.samples_arrow())

    def samples_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        return self.run.samples_arrow(columns, self)

    @property
    def series(self) -> pd.DataFrame:
        frame = self.run.series
        return frame[(frame["case"] == self.name) & (frame["repeat"] == self.repeat)].reset_index(drop=True)

    def times(self) -> metrics.Times:
        """The stamps of all ids as numpy arrays, for figures over many samples."""
        names = ["source", "worker", "attempt", "intended", "sent", "acked", "received"]
        return metrics.Times.of(self.samples_arrow(names))

    def measured_times(self) -> metrics.Times:
        """As times(), without the warm-up."""
        return self.times().after(self.facts.warmup_s)

    def __repr__(self) -> str:
        return f"<Case {self.label!r} {self.verdict.upper()}>"


def load(path: str | Path) -> Run:
    """The run in folder ``path`` (or the folder of the run.json given): finished, interrupted, running or
    cut.

    A run whose runner was killed loads as ``failed``; its samples are made from what was recorded up to then.

    Raises NotFound when there is no such folder or it holds no run, IoError when run.json cannot be read, and
    InvalidArgument when a newer headrace wrote it.
    """
    folder = Path(path)
    if folder.name == "run.json":
        folder = folder.parent
    if not folder.is_dir():
        raise NotFound(f"no such run folder: {folder}")
    document = _read_document(folder)
    if document["state"] == "running":
        _settle(document)
    return Run(document, folder)


def _read_document(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    if not path.is_file():
        raise NotFound(f"{folder} is not a run folder: it has no run.json")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IoError(f"cannot read {path}: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InvalidArgument(f"{path} was not written by headrace: its format is not {FORMAT!r}")
    version = document.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise InvalidArgument(
            f"{path} has format version {version}, and this headrace reads up to {FORMAT_VERSION}: use a newer headrace"
        )
    missing = [key for key in ("name", "state", "cases") if key not in document]
    if missing:
        raise IoError(f"cannot read {path}: it has no {', '.join(missing)}")
    return document


def _settle(document: dict[str, Any]) -> None:
    """Decides what a run is whose folder says that it runs."""
    process = document.get("process") or {}
    if is_alive(process):
        document |= {
            "verdict": "running",
            "reasons": [f"the run is still going on (process {process.get('pid')})"],
        }
        return
    reason = f"the run was cut: its runner (process {process.get('pid')}) ended without closing it"
    document |= {"state": "cut", "verdict": "failed", "reasons": [reason, *(document.get("failures") or ())]}
    for entry in document["cases"]:
        if entry.get("state") == "running":
            facts = dict(entry.get("facts") or {})
            facts["failures"] = [*facts.get("failures", ()), "the run was cut"]
            entry["facts"] = facts


def from_csv(
    producers: Sequence[str | Path],
    consumers: Sequence[str | Path],
    *,
    name: str = "csv",
    one_clock: bool = False,
) -> Run:
    """A run made from CSVs in the seed's format (``id,sent,acked`` and ``id,received,acked``, epoch seconds).

    It has one case called ``name``, and the same samples, summary and verdict as a recorded run; times are
    ns since the epoch. ``one_clock``: all files come from one machine, so that a negative latency makes the
    run invalid.

    Raises NotFound for a missing file, IoError for one that cannot be read.
    """
    from headrace.results import mq_figures

    inputs = samples.Inputs(tuple(map(Path, producers)), tuple(map(Path, consumers)))
    entry: dict[str, Any] = {
        "name": name,
        "repeat": 1,
        "params": {},
        "expect": None,
        "folder": "",
        "state": "finished",
    }
    facts = CaseFacts(one_clock=one_clock)
    result = mq_figures.figures(samples.join(inputs, case=name), entry, facts)
    document = {
        "name": name,
        "state": "finished",
        "cases": [entry],
        "spec": {"producers": [str(p) for p in producers], "consumers": [str(p) for p in consumers]},
    }
    verdict: Verdict = build.run_verdict(document, [(name, result.final)])
    document |= {"verdict": verdict.verdict, "reasons": list(verdict.reasons), "notes": list(verdict.notes)}
    entry["reasons"] = list(result.verdict.reasons)
    run = Run(document)
    run._results = [result]
    return run


def reproduce(run: Run) -> str:
    """The command that repeats the run, as one would type it; empty when unknown."""
    return command_text(run.command) if run.command else ""
