"""The charts of one case: what is computed from its samples and its series before it is drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from headrace.report.charts import Axis, Floats, Line, chart, fitting
from headrace.results.metrics import Times
from headrace.results.run import Case
from headrace.results.schema import DURATIONS

_NAMES = {
    "processing_latency": "processing latency",
    "send_time": "send time",
    "response_time": "response",
    "end_to_end": "end to end",
}
_POINTS = 160
_WIDTHS_MS = [m * 10.0**e for e in range(7) for m in (1, 2, 5)]


def charts(case: Case, times: Times) -> list[str]:
    """Every chart of ``case`` that its data allow, as HTML."""
    shown = durations(case, times)
    origin = times.origin()
    made = [percentile_chart(shown), distribution_chart(shown)]
    if origin is not None:
        width_ns = bin_width_ns(times, origin)
        made += [
            rate_chart(times, origin, width_ns, open_loop=case.facts.asked_rate is not None),
            latency_over_time(times, origin, width_ns),
            backlog_chart(times, origin, width_ns),
        ]
    return [c for c in [*made, *resource_charts(case)] if c]


def durations(case: Case, times: Times) -> dict[str, Floats]:
    """Sorted durations in ms by name; response and end to end only where a schedule makes them differ."""
    names = list(DURATIONS) if case.facts.asked_rate is not None else ["processing_latency", "send_time"]
    found = {name: np.sort(times.durations_ns(name)) / 1e6 for name in names}
    return {name: values for name, values in found.items() if len(values)}


def percentile_chart(shown: dict[str, Floats]) -> str:
    """Latency by percentile, the tail stretched as in the HDR histogram's plots."""
    lines = []
    for index, (name, values) in enumerate(shown.items()):
        n = len(values)
        nines = np.linspace(0, np.log10(n) if n > 1 else 0.0, _POINTS)
        shares = 1 - 10**-nines
        ranks = np.clip(np.ceil(shares * n - 1e-9).astype(np.int64), 1, n) - 1
        ranks[-1] = n - 1
        lines.append(Line(_NAMES[name], shares, values[ranks], index, dashed=index > 1))
    if not lines:
        return ""
    top = max(float(line.x[-1]) for line in lines)
    x = Axis("percentile", 0.0, max(top, 0.9))
    y = fitting([line.y for line in lines], "ms")
    title = "Latency by percentile"
    return chart(title, lines, x, y, x_title="share of messages that were at least as fast")


def distribution_chart(shown: dict[str, Floats]) -> str:
    """How many messages took how long, in bins of equal ratio."""
    positive = [v[v > 0] for v in shown.values()]
    positive = [v for v in positive if len(v)]
    if not positive:
        return ""
    low, high = min(float(v[0]) for v in positive), max(float(v[-1]) for v in positive)
    low, high = low * 0.98, max(high * 1.02, low * 1.1)
    edges = np.geomspace(low, high, 61)
    lines = []
    for index, (name, values) in enumerate(shown.items()):
        counts, _ = np.histogram(values, edges)
        shares = np.append(counts, 0) / max(len(values), 1) * 100
        lines.append(Line(_NAMES[name], edges, shares, index, dashed=index > 1, step=True, area=index < 2))
    x = Axis("log", low, high, "ms")
    y = fitting([line.y for line in lines], "% of messages", log=False)
    return chart("Distribution", lines, x, y, x_title="duration, ms (log scale)")


def bin_width_ns(times: Times, origin: int) -> int:
    """A round width that gives about a hundred bins, at least 1 ms."""
    last = max((int(s.max()) for s in map(times.stamps, ("sent", "acked", "received")) if len(s)), default=origin)
    span_ms = max((last - origin) / 1e6, 1.0)
    width = next((w for w in _WIDTHS_MS if span_ms / w <= 100), _WIDTHS_MS[-1])
    return int(width * 1e6)


def _per_bin(stamps: npt.NDArray[np.int64], origin: int, width: int, bins: int) -> Floats:
    inside = (stamps - origin) // width
    return np.bincount(inside[(inside >= 0) & (inside < bins)], minlength=bins).astype(float)


def _bins(times: Times, origin: int, width: int) -> int:
    last = max(int(s.max()) for s in map(times.stamps, ("sent", "acked", "received")) if len(s))
    return int((last - origin) // width) + 1


def _width_text(width_ns: int) -> str:
    return f"{width_ns / 1e6:g} ms" if width_ns < 1e9 else f"{width_ns / 1e9:g} s"


def rate_chart(times: Times, origin: int, width: int, *, open_loop: bool) -> str:
    """Offered, sent, acknowledged and received messages per second."""
    bins = max(_bins(times, origin, width) - 1, 1)  # the last one is not full
    x = (np.arange(bins) + 0.5) * width / 1e9
    wanted = {"sent": 0, "acked": 1, "received": 2} | ({"intended": 3} if open_loop else {})
    lines = [
        Line(
            "offered" if name == "intended" else name,
            x,
            _per_bin(times.stamps(name), origin, width, bins) * 1e9 / width,
            c,
        )
        for name, c in wanted.items()
        if len(times.stamps(name))
    ]
    note = f"Counted in steps of {_width_text(width)}."
    return _over_time(
        "Throughput", lines, fitting([line.y for line in lines], "messages/s", log=False), bins, width, note
    )


def _over_time(title: str, lines: list[Line], y: Axis, bins: int, width: int, note: str = "") -> str:
    x = Axis("linear", 0.0, bins * width / 1e9, "s")
    return chart(title, lines, x, y, x_title="seconds since the first send", note=note)


def latency_over_time(times: Times, origin: int, width: int) -> str:
    """Median, 99th percentile and worst processing latency (send time without receipts) of each step of
    time."""
    name = "processing_latency" if len(times.durations_ns("processing_latency")) else "send_time"
    start, end, _ = DURATIONS[name]
    event = "receipt" if end == "received" else "acknowledgement"
    both = times.present[start] & times.present[end]
    at = (times.values[end][both] - origin) // width
    took = (times.values[end][both] - times.values[start][both]) / 1e6
    if not len(took):
        return ""
    order = np.lexsort((took, at))
    at, took = at[order], took[order]
    steps, first, counts = np.unique(at, return_index=True, return_counts=True)
    x = (steps + 0.5) * width / 1e9

    def at_share(share: float) -> Floats:
        rank = np.maximum(np.ceil(share * counts - 1e-9).astype(np.int64), 1) - 1
        return np.asarray(took[first + rank], dtype=float)

    lines = [
        Line("p50", x, at_share(0.5), 0),
        Line("p99", x, at_share(0.99), 1),
        Line("max", x, at_share(1.0), 3),
    ]
    y = fitting([line.y for line in lines], "ms")
    bins = int(steps[-1]) + 1
    note = f"By time of {event}, in steps of {_width_text(width)}."
    return _over_time(f"{_NAMES[name].capitalize()} over time", lines, y, bins, width, note)


def backlog_chart(times: Times, origin: int, width: int) -> str:
    """Messages acknowledged and not yet received, and messages sent and not yet acknowledged."""
    bins = _bins(times, origin, width)
    x = (np.arange(bins) + 1) * width / 1e9
    sent, acked, received = (
        np.cumsum(_per_bin(times.stamps(name), origin, width, bins)) for name in ("sent", "acked", "received")
    )
    lines = [Line("in flight to the broker", x, np.maximum(sent - acked, 0), 1)] if len(times.stamps("acked")) else []
    if len(times.stamps("received")):
        lines.append(Line("waiting in the broker", x, np.maximum(acked - received, 0), 2))
    return _over_time("Backlog", lines, fitting([line.y for line in lines], "messages", log=False), bins, width)


def resource_charts(case: Case) -> list[str]:
    """CPU and memory of generator and server per second, where the runner watched them for at least two
    seconds."""
    frame = case.series
    made = []
    for title, suffix, scale, unit in (("CPU", "cpu", 1.0, "cores"), ("Memory", "rss", 2.0**-20, "MiB")):
        lines = []
        for colour, who in enumerate(("generator", "server")):
            column = frame[f"{who}_{suffix}"].astype(float)
            present = column.notna() & frame["second"].notna()
            if present.sum() >= 2:
                x = frame["second"][present].to_numpy(float)
                lines.append(Line(who, x, column[present].to_numpy(float) * scale, colour))
        if lines:
            x_axis = Axis("linear", 0.0, max(float(line.x[-1]) for line in lines), "s")
            y = fitting([line.y for line in lines], unit, log=False)
            made.append(chart(title, lines, x_axis, y, x_title="seconds since the start of the case"))
    return made
