"""The report of the message-queue part: sixteen metrics, percentiles, the ledger of every message."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.report import figures, tables
from headrace.report.part import Cell, Row, Tile, View
from headrace.report.text import esc, ms, number, rate
from headrace.results.run import Case

_MEANING = {
    "valid": "Every acknowledged message is accounted for, and every rate is below what its window allows.",
    "generator-limited": "The load generator did not offer the rate that was asked for. "
    "The figures describe the generator rather than the broker.",
    "invalid": "The figures below must not be used: the measurement contradicts itself, or messages are missing.",
}
_CELLS = (
    Cell("sent", "messages", number, repeats=False),
    Cell("acked_rate", "acked", rate),
    Cell("received_rate", "received", rate),
    Cell("processing_latency_p50", "processing p50", ms),
    Cell("processing_latency_p99", "processing p99", ms),
    Cell("send_time_p50", "send p50", ms),
    Cell("send_time_p99", "send p99", ms),
    Cell("lost", "lost", number, total=True, zero=True),
    Cell("duplicated", "duplicates", number, total=True, repeats=False),
)


def tiles(rows: Sequence[Row]) -> list[Tile]:
    """Latencies, rates, and what was lost or came twice."""

    def of(name: str) -> float | None:
        return tables.middle(rows, name)

    lost = sum(int(r["lost"] or 0) for r in rows)
    duplicated = sum(int(r["duplicated"] or 0) for r in rows)
    latency = ms(of("processing_latency_p50"))
    return [
        Tile("processing latency p50", latency, f"p99 {ms(of('processing_latency_p99'))}"),
        Tile("send time p50", ms(of("send_time_p50")), f"p99 {ms(of('send_time_p99'))}"),
        Tile("acknowledged", rate(of("acked_rate")), f"{number(of('acked'))} messages"),
        Tile("received", rate(of("received_rate")), f"in {number(of('duration_s'))} s"),
        Tile("lost", number(lost), "acknowledged, never received", bad=lost > 0),
        Tile("duplicates", number(duplicated), "allowed: at least once"),
    ]


def one(case: Case) -> str:
    """Tables and charts of one repeat of a case."""
    row = case.summary
    open_loop = case.facts.asked_rate is not None
    reasons = "".join(f"<li>{esc(r)}</li>" for r in case.reasons)
    charts = "".join(figures.charts(case, case.measured_times()))
    warmup = case.facts.warmup_s
    return (
        (f"<ul class=reasons>{reasons}</ul>" if reasons else "")
        + (f"<p class=note>Figures leave out the first {warmup:g} s (warm-up); counts do not.</p>" if warmup else "")
        + "<h3>The sixteen metrics</h3>"
        + tables.sixteen(row)
        + (f"<h3>Charts</h3><div class=charts>{charts}</div>" if charts else "")
        + '<div class="columns"><div><h3>Percentiles, ms</h3>'
        + tables.percentiles(row, open_loop=open_loop)
        + "<h3>Rates and their bound</h3>"
        + tables.rates(row)
        + "</div><div><h3>Ledger</h3>"
        + tables.ledger(row)
        + "</div></div>"
    )


VIEW = View(
    meaning=_MEANING,
    cells=_CELLS,
    ranges=("processing_latency", "send_time"),
    tiles=tiles,
    case=one,
    files={"samples.parquet": "one row per message and receipt"},
)
