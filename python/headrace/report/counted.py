"""Charts and tables of parts that count their items: from histograms and the series instead of samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from headrace.errors import IoError
from headrace.measure import Histogram
from headrace.report import tables
from headrace.report.charts import Axis, Line, chart, fitting
from headrace.report.part import Row
from headrace.report.text import DASH, esc, known, number, rate
from headrace.results.recording import Recording
from headrace.results.run import Case
from headrace.results.schema import PERCENTILES

_POINTS = 160


def recording(case: Case) -> Recording:
    """What the case recorded; empty where the run folder has it no more."""
    if case.run.path is None:
        return Recording()
    try:
        return Recording.load(case.run.path / case.entry["folder"])
    except IoError:
        return Recording()


def percentile_chart(histograms: Mapping[str, Histogram], of: str) -> str:
    """Durations by percentile, the tail stretched; ``of`` says what was measured (a plural)."""
    lines = []
    for colour, (name, histogram) in enumerate(histograms.items()):
        if histogram.count < 2:
            continue
        shares = 1 - 10 ** -np.linspace(0, math.log10(histogram.count), _POINTS)
        values = np.array(histogram.percentiles([float(s) * 100 for s in shares]), float) / 1e6
        values[-1] = histogram.max / 1e6
        lines.append(Line(name, shares, values, colour, dashed=colour > 1))
    if not lines:
        return ""
    x = Axis("percentile", 0.0, max(0.9, *(float(line.x[-1]) for line in lines)))
    title = "Latency by percentile"
    y = fitting([line.y for line in lines], "ms")
    return chart(title, lines, x, y, x_title=f"share of {of} that were at least as fast")


def distribution_chart(histograms: Mapping[str, Histogram], of: str) -> str:
    """How many took how long, in bins of equal ratio."""
    used = {name: h for name, h in histograms.items() if h.count > 0}
    if not used:
        return ""
    low = max(min(h.min for h in used.values()), 1) / 1e6 * 0.98
    high = max(max(h.max for h in used.values()) / 1e6 * 1.02, low * 1.1)
    edges = np.geomspace(low, high, 61)
    middles = (Histogram.bounds[:-1] + Histogram.bounds[1:]) / 2e6
    lines = []
    for colour, (name, histogram) in enumerate(used.items()):
        counts, _ = np.histogram(middles, edges, weights=np.asarray(histogram.counts, float)[: len(middles)])
        shares = np.append(counts, 0) / histogram.count * 100
        lines.append(Line(name, edges, shares, colour, step=True, area=colour < 2))
    y = fitting([line.y for line in lines], f"% of {of}", log=False)
    return chart("Distribution", lines, Axis("log", low, high, "ms"), y, x_title="duration, ms (log scale)")


def series_chart(case: Case, title: str, columns: Mapping[str, str], unit: str, *, scale: float = 1.0) -> str:
    """Columns of the series over time (``columns``: column -> name in the legend); empty without two points."""
    frame = case.series
    lines = []
    for colour, (column, name) in enumerate(columns.items()):
        if column not in frame:
            continue
        values = frame[column].astype(float)
        present = values.notna() & frame["second"].notna()
        if present.sum() >= 2:
            x = frame["second"][present].to_numpy(float)
            lines.append(Line(name, x, values[present].to_numpy(float) * scale, colour, step=True))
    if not lines:
        return ""
    x_axis = Axis("linear", 0.0, max(float(line.x[-1]) for line in lines), "s")
    y = fitting([line.y for line in lines], unit, log=False)
    return chart(title, lines, x_axis, y, x_title="seconds since the start of the case")


def percentiles(row: Row, durations: Sequence[str]) -> str:
    """Percentiles of the durations that were measured, ms."""
    shown = [d for d in durations if known(row.get(f"{d}_max"))]
    if not shown:
        return '<p class="note">no duration was recorded</p>'
    rows = [[p, *(number(row.get(f"{d}_{p}")) for d in shown)] for p in (*PERCENTILES, "max", "avg")]
    return tables.table(["", *shown], rows)


def rates(row: Row) -> str:
    """The rate beside what bounds it."""
    bound, measured = row.get("bound"), row.get("rate")
    share = DASH
    if bound and measured and known(bound) and known(measured):
        share = f"{number(100 * measured / bound, 2)}% of its bound"
    rows = [
        ["asked for", rate(row.get("asked_rate")), "open loop only"],
        ["offered", rate(row.get("offered_rate")), "by the generator"],
        ["completed", rate(measured), share],
        ["bound", rate(bound), row.get("bound_by") or ""],
        ["duration", f"{number(row.get('duration_s'))} s", "first start to last completion"],
    ]
    kept = [[a, b, esc(c)] for a, b, c in rows if not b.startswith(DASH)]
    return tables.table(["rate", "value", ""], kept, kind="ledger")


def counts(row: Row, listed: Sequence[tuple[str, str]], zero: frozenset[str]) -> str:
    """Counts that are not null, with their meaning; those in ``zero`` are errors when they are not 0."""
    rows = []
    for name, meaning in listed:
        value = row.get(name)
        if value is None:
            continue
        text = number(value)
        rows.append([tables.breakable(name), tables.flagged(text, value) if name in zero else text, esc(meaning)])
    return tables.table(["count", "", ""], rows, kind="ledger")
