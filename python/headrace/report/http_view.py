"""The report of the http part: siege's table, the bound of each rate, tasks finished against replies sent."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.report import counted, tables
from headrace.report.part import Cell, Row, Tile, View
from headrace.report.text import esc, ms, number, rate
from headrace.results.http_figures import COLUMNS
from headrace.results.run import Case

_MEANING = {
    "valid": "Every reply came after its task had finished, as the tasks counted; every rate is below its bound.",
    "generator-limited": "The generator had no core left or lost time of its own. "
    "The figures describe it rather than the server.",
    "invalid": "The figures below must not be used: replies came before their tasks had finished, or a rate is "
    "impossible.",
}
_ZERO = frozenset({"unfinished"})
_CELLS = (
    Cell("transactions", "transactions", number, repeats=False),
    Cell("availability", "availability, %", number),
    Cell("rate", "rate", rate),
    Cell("bound", "bound", rate),
    Cell("response_s", "response, s", number),
    Cell("response_p99", "p99", ms),
    Cell("unfinished", "unfinished", number, total=True, zero=True),
    Cell("server_cpu", "server, cores", number),
    Cell("pss_mb", "PSS, MB", number),
)
_SIEGE = (
    *("transactions", "availability", "data_mb", "response_s", "throughput_mb", "concurrency", "failed"),
    *("longest_s", "shortest_s"),
)
_TASKS = ("replied", "finished", "unfinished", "in_flight", "never_answered", "task_cpu_s")
_COST = ("server_cpu", "generator_cpu", "pss_mb")


def tiles(rows: Sequence[Row]) -> list[Tile]:
    """Rate beside its bound, response, availability, what must be nothing."""

    def of(name: str) -> float | None:
        return tables.middle(rows, name)

    bad = sum(int(r["unfinished"] or 0) for r in rows)
    return [
        Tile("rate", rate(of("rate")), f"bound {rate(of('bound'))}"),
        Tile("response p50", ms(of("response_p50")), f"p99 {ms(of('response_p99'))}"),
        Tile("availability", f"{number(of('availability'))} %", f"{number(of('failed'))} failed"),
        Tile("server", f"{number(of('server_cpu'))} cores", f"{number(of('pss_mb'))} MB"),
        Tile("replies without a finished task", number(bad), "must be nothing", bad=bad > 0),
    ]


def one(case: Case) -> str:
    """Tables and charts of one repeat of a case."""
    row = case.summary
    meanings = {c.name: c.meaning for c in COLUMNS}
    reasons = "".join(f"<li>{esc(r)}</li>" for r in case.reasons)
    drawn = "".join(charts(case))

    def counts(names: Sequence[str]) -> str:
        return counted.counts(row, [(name, meanings[name]) for name in names], _ZERO)

    return (
        (f"<ul class=reasons>{reasons}</ul>" if reasons else "")
        + (f"<h3>Charts</h3><div class=charts>{drawn}</div>" if drawn else "")
        + '<div class="columns"><div><h3>As siege has it</h3>'
        + counts(_SIEGE)
        + "<h3>Rate and its bound</h3>"
        + counted.rates(row)
        + "</div><div><h3>Tasks and replies</h3>"
        + counts(_TASKS)
        + "<h3>What it cost</h3>"
        + counts(_COST)
        + "<h3>Percentiles, ms</h3>"
        + counted.percentiles(row, ("response",))
        + "</div></div>"
    )


def charts(case: Case) -> list[str]:
    """Every chart that the case's data allow."""
    histograms = counted.recording(case).histograms
    made = [
        counted.percentile_chart(histograms, "requests"),
        counted.distribution_chart(histograms, "requests"),
        counted.series_chart(case, "Load", {"acked": "good replies"}, "1/s"),
        counted.series_chart(case, "CPU", {"server_cpu": "server", "generator_cpu": "generator"}, "cores"),
        counted.series_chart(case, "Memory", {"server_pss": "server"}, "MB", scale=1e-6),
    ]
    return [c for c in made if c]


VIEW = View(
    meaning=_MEANING,
    cells=_CELLS,
    ranges=("response",),
    tiles=tiles,
    case=one,
    files={"segments": "histograms and figures of each case"},
)
