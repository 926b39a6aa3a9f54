"""The experiment's data processor: join the producers' CSVs with the consumers', account for every message.

>>> result = process("p*.csv", "c*.csv", "out")      # doctest: +SKIP
>>> result.verdict, result.exit_code                 # doctest: +SKIP
('valid', 0)
>>> print(result.table())                            # doctest: +SKIP
"""

from __future__ import annotations

import glob
import html
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from headrace._core import ledger
from headrace.errors import InvalidArgument, NotFound

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

_EXIT_CODES = {"valid": 0, "failed": 1, "invalid": 3}
_SERIES = (
    ("processing_latency", "processing latency, ms"),
    ("send_time", "send time, ms"),
    ("processing_throughput", "received per second"),
    ("send_throughput", "sent per second"),
)
_FIGURES = ("min", "avg", "stddev", "p50", "p99", "p99.9", "max")
_COUNTS = ("sent", "acked", "received", "duplicated", "lost", "orphaned", "shared", "reordered", "unreadable")


@dataclass(frozen=True)
class ProcessResult:
    """What `process` found.

    Attributes:
        verdict: ``"valid"``; ``"invalid"`` when ids are lost, orphaned or shared by two producers;
            ``"failed"`` when nothing could be joined (then there are no files).
        reasons: why the verdict is not ``"valid"``, a sentence each.
        warnings: what does not spoil the run but should be known: unreadable rows, unacknowledged messages,
            clocks that differ.
        counts: messages and rows by what became of them; ``headrace._core.ledger.count_meanings()`` says
            what each counts.
        metrics: figure name -> value in ms or messages per second, None where it is not defined. The names
            are those of ``summary.csv``: ``processing_latency_avg``, ``send_time_p99.9``,
            ``processing_throughput_max``, ...
        files: name (``latencies.csv``, ``throughput.csv``, ``summary.csv``, ``problems.csv``)
            -> path.
    """

    verdict: str
    reasons: list[str]
    warnings: list[str]
    counts: dict[str, int]
    metrics: dict[str, float | None] = field(repr=False)
    files: dict[str, Path] = field(repr=False)

    @property
    def exit_code(self) -> int:
        """What the command exits with: 0 valid (duplicates are allowed), 3 invalid, 1 failed."""
        return _EXIT_CODES[self.verdict]

    def table(self) -> str:
        """The figures, counts and verdict as plain text for a terminal."""
        lines = []
        if self.metrics:
            lines += _aligned([["", *_FIGURES], *([title, *self._figures(key)] for key, title in _SERIES)])
            lines.append("")
        shown = [name for name in _COUNTS if name in self.counts]
        lines += _aligned([shown, [f"{self.counts[name]:,}" for name in shown]], left=False)
        lines.append("")
        lines.append(f"verdict: {self.verdict.upper()}")
        lines += [f"  because {reason}" for reason in self.reasons]
        lines += [f"  note: {warning}" for warning in self.warnings]
        lines += [f"  wrote {path}" for path in self.files.values()]
        return "\n".join(lines)

    def _figures(self, key: str) -> list[str]:
        values = (self.metrics.get(f"{key}_{figure}") for figure in _FIGURES)
        return ["" if value is None else f"{value:,.3f}" for value in values]

    def __repr__(self) -> str:
        c = self.counts
        return (
            f"ProcessResult({self.verdict}, sent={c['sent']}, received={c['received']}, lost={c['lost']}, "
            f"duplicated={c['duplicated']}, orphaned={c['orphaned']})"
        )

    def _repr_html_(self) -> str:
        cell = "<td style='text-align:right'>{}</td>".format
        head = "".join(f"<th>{name}</th>" for name in ("", *_FIGURES))
        body = "".join(
            f"<tr><th>{title}</th>{''.join(cell(v) for v in self._figures(key))}</tr>" for key, title in _SERIES
        )
        counts = ", ".join(f"{name} {self.counts[name]:,}" for name in _COUNTS)
        notes = "".join(f"<li>{html.escape(text)}</li>" for text in [*self.reasons, *self.warnings])
        return f"<p><b>{self.verdict.upper()}</b>: {counts}</p><table><tr>{head}</tr>{body}</table>" + (
            f"<ul>{notes}</ul>" if notes else ""
        )


def process(
    producers: Paths,
    consumers: Paths,
    out: str | os.PathLike[str],
    *,
    memory_limit: int = 1 << 30,
    threads: int = 0,
) -> ProcessResult:
    """Join what was sent with what was received and write four CSVs into `out`.

    Args:
        producers: CSV files ``id,sent,acked``: a path, a glob pattern, or several of them. Epoch seconds with
            an optional fraction, or epoch nanoseconds; the third column may be missing. Recorded segments are
            taken as well.
        consumers: CSV files ``id,received,acked``, given likewise.
        out: folder for the results, made when it is not there. Each file appears whole or not at all.
        memory_limit: bytes of rows to hold in memory; more goes to unnamed temporary files in `out`. About
            64 MiB come on top.
        threads: 0 for one per core, at most 8.

    Files:
        ``latencies.csv``  ``id,processing_ms,send_ms``: one row per id sent, in the producers' order.
        ``throughput.csv``  ``second,received,sent``: seconds from the first send on; first receipts only.
        ``summary.csv``  ``metric,value,unit``: minimum, maximum, average and sample standard deviation of
        both durations and both throughputs (over all rows of ``throughput.csv``), exact
        nearest-rank percentiles, counts.
        ``problems.csv``  ``problem,id,file,line,detail``: lost, unacked, orphan, duplicate, retry, shared,
        negative_latency, negative_send_time, unreadable, torn.

    Raises:
        NotFound: a file does not exist, or a pattern matches nothing.
        InvalidArgument: no files, the same file twice, or times so far apart that one must be wrong.
        IoError: a file cannot be read or written (disk full, a pipe, UTF-16).
    """
    sent, received = expand(producers, "producers"), expand(consumers, "consumers")
    _refuse_twice([*sent, *received])
    if memory_limit <= 0 or threads < 0:
        raise InvalidArgument(f"memory_limit must be positive and threads not negative: {memory_limit}, {threads}")
    found = ledger.process(sent, received, os.fspath(out), memory_limit=memory_limit, threads=threads)
    return ProcessResult(
        verdict=found["verdict"],
        reasons=found["reasons"],
        warnings=found["warnings"],
        counts=found["counts"],
        metrics={
            name: float(value) if value else None
            for name, value, unit in found["summary"]
            if unit in ("ms", "messages/s")
        },
        files={Path(path).name: Path(path) for path in found["files"]},
    )


def expand(paths: Paths, what: str) -> list[str]:
    """The files that paths and glob patterns stand for, each pattern's in sorted order.

    A name with ``*``, ``?`` or ``[`` that exists as a file is that file. Raises NotFound, InvalidArgument.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    files: list[str] = []
    for path in [os.fspath(entry) for entry in given]:
        if os.path.exists(path):
            files.append(path)
            continue
        matches = sorted(glob.glob(path)) if glob.has_magic(path) else []
        if not matches:
            raise NotFound(f"{what}: {path}: " + ("no file matches" if glob.has_magic(path) else "no such file"))
        files += matches
    if not files:
        raise InvalidArgument(f"{what}: no files given")
    return files


def _refuse_twice(files: list[str]) -> None:
    seen: dict[tuple[int, int], str] = {}
    for path in files:
        status = os.stat(path)
        key = (status.st_dev, status.st_ino)
        if key in seen:
            raise InvalidArgument(f"{path}: given twice (also as {seen[key]})")
        seen[key] = path


def _aligned(rows: list[list[str]], *, left: bool = True) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if left and i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
