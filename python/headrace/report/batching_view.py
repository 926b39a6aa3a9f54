"""The report of the batching part: what batching adds to a call, how large batches were and why they left."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.report import counted, tables
from headrace.report.part import Cell, Row, Tile, View
from headrace.report.text import esc, ms, number, rate
from headrace.results.batching_figures import COLUMNS, REASONS
from headrace.results.run import Case

_MEANING = {
    "valid": "Every item completed once, with its own result; the downstream's limit was kept; every rate is below "
    "its bound.",
    "generator-limited": "The items were not started at the rate that was asked for. "
    "The figures describe the generator rather than the batcher.",
    "invalid": "The figures below must not be used: items are missing or wrong, a limit was broken, or a rate is "
    "impossible.",
}
_ZERO = frozenset({"wrong", "failed", "violations"})
_CELLS = (
    Cell("items", "items", number, repeats=False),
    Cell("rate", "rate", rate),
    Cell("latency_p50", "latency p50", ms),
    Cell("latency_p99", "p99", ms),
    Cell("latency_p99.9", "p99.9", ms),
    Cell("batches", "calls", number),
    Cell("batch_size_avg", "items per call", number),
    Cell("cpu_cores", "CPU, cores", number),
    Cell("wrong", "wrong", number, total=True, zero=True, repeats=False),
    Cell("violations", "over limit", number, total=True, zero=True),
)
_ITEMS = ("items", "done", "wrong", "failed", "rejected", "dedupe_hits")
_BATCHES = ("batches", "batch_size_max", *(f"by_{r}" for r in REASONS), "concurrency_max", "violations")


def tiles(rows: Sequence[Row]) -> list[Tile]:
    """Rate, latency, batch size, CPU, and what must be nothing."""

    def of(name: str) -> float | None:
        return tables.middle(rows, name)

    bad = sum(int(r[name] or 0) for r in rows for name in _ZERO)
    return [
        Tile("completed", rate(of("rate")), f"{number(of('done'))} items"),
        Tile("latency p50", ms(of("latency_p50")), f"p99 {ms(of('latency_p99'))}"),
        Tile("items per call", number(of("batch_size_avg")), f"{number(of('batches'))} calls"),
        Tile("CPU", f"{number(of('cpu_cores'))} cores", f"{number(of('cpu_us'))} µs per item"),
        Tile("wrong, failed, over limit", number(bad), "must be nothing", bad=bad > 0),
    ]


def one(case: Case) -> str:
    """Tables and charts of one repeat of a case."""
    row = case.summary
    meanings = {c.name: c.meaning for c in COLUMNS}
    reasons = "".join(f"<li>{esc(r)}</li>" for r in case.reasons)
    drawn = "".join(charts(case))
    return (
        (f"<ul class=reasons>{reasons}</ul>" if reasons else "")
        + (f"<h3>Charts</h3><div class=charts>{drawn}</div>" if drawn else "")
        + '<div class="columns"><div><h3>Percentiles, ms</h3>'
        + counted.percentiles(row, ("latency", "response"))
        + "<h3>Rate and its bound</h3>"
        + counted.rates(row)
        + "</div><div><h3>Items</h3>"
        + counted.counts(row, [(name, meanings[name]) for name in _ITEMS], _ZERO)
        + "<h3>Calls of the downstream</h3>"
        + counted.counts(row, [(name, meanings[name]) for name in _BATCHES], _ZERO)
        + "</div></div>"
    )


def charts(case: Case) -> list[str]:
    """Every chart that the case's data allow."""
    histograms = counted.recording(case).histograms
    made = [
        counted.percentile_chart(histograms, "items"),
        counted.distribution_chart(histograms, "items"),
        counted.series_chart(case, "Load", {"offered": "started", "acked": "completed"}, "items/s"),
        counted.series_chart(case, "Calls at one time", {"concurrency": "running", "limit": "allowed"}, "calls"),
        counted.series_chart(case, "Items per call", {"batch_size": "mean"}, "items"),
        counted.series_chart(case, "Latency over time", {"latency_p50": "p50", "latency_p99": "p99"}, "ms"),
        counted.series_chart(case, "CPU", {"generator_cpu": "measured process", "server_cpu": "server"}, "cores"),
        counted.series_chart(
            case, "Memory", {"generator_rss": "measured process", "server_rss": "server"}, "MiB", scale=2.0**-20
        ),
    ]
    return [c for c in made if c]


VIEW = View(
    meaning=_MEANING,
    cells=_CELLS,
    ranges=("latency", "response"),
    tiles=tiles,
    case=one,
    files={"segments": "histograms and figures of each case"},
)
