"""Medians, ratios and bars, and the table that shows them.

A bar of a group of whole runs compares the medians of two contenders. Where they took turns in slices, each pair
of neighbours gives a ratio, and the bar is held against the median ratio with its interval: the order statistics
that enclose the true median with at least 95 % whatever the distribution (the sign test turned round). A bar is
reached when the whole interval reaches it, missed when none of it does, and undecided, which is not reached,
when it lies inside.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from dataclasses import dataclass

from comparison.bench import Sample
from comparison.contenders import OURS
from comparison.settings import Bar, Group

Samples = dict[str, list[Sample]]  # contender -> one sample per round


@dataclass(frozen=True)
class Spread:
    """Median and extremes of one figure over the rounds."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """How a bar was met. `rounds` is the spread of the per-round values, `value` the one that counts."""

    demand: str
    value: float
    rounds: Spread
    reached: bool
    interval: tuple[float, float] | None = None  #: 95 % interval of `value`; slices only
    undecided: bool = False


def values(samples: list[Sample], metric: str) -> list[float]:
    """The figure `metric` of each round that has it."""
    found = [getattr(s, metric) for s in samples]
    return [v for v in found if v is not None]


def spread(numbers: list[float]) -> Spread:
    """Median and extremes of at least one number."""
    return Spread(statistics.median(numbers), min(numbers), max(numbers))


def interval(numbers: list[float], coverage: float = 0.95) -> tuple[float, float]:
    """Encloses the median of what `numbers` were drawn from, with at least `coverage`; infinite below 6 numbers.

    Between the k-th lowest and the k-th highest of n values lies the median with probability 1 - 2 B(k - 1), B
    being the distribution function of n fair coins (David and Nagaraja, Order Statistics, section 7.1).
    """
    n, ordered = len(numbers), sorted(numbers)
    below, k = 0.0, 0
    while k < n // 2:
        below += math.comb(n, k) / 2.0**n
        if 1 - 2 * below < coverage:
            break
        k += 1
    return (ordered[k - 1], ordered[n - k]) if k > 0 else (-math.inf, math.inf)


def judge(bar: Bar, samples: Samples, *, paired: bool = False) -> Verdict | None:
    """Whether `bar` is reached; None when somebody it speaks of did not run."""
    ours = values(samples.get(OURS, []), bar.metric)
    theirs = values(samples.get(bar.over, []), bar.metric) if bar.over else [1.0] * len(ours)
    if not ours or len(theirs) != len(ours):
        return None
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    if not paired:
        value = statistics.median(ours) / statistics.median(theirs)
        return Verdict(demand(bar), value, spread(ratios), fulfils(bar, value))
    ends = interval(ratios)
    met = [fulfils(bar, end) for end in ends]
    return Verdict(demand(bar), statistics.median(ratios), spread(ratios), all(met), ends, any(met) and not all(met))


def fulfils(bar: Bar, value: float) -> bool:
    """Whether `value` lies within the bar's limits."""
    return (bar.at_most is None or value <= bar.at_most) and (bar.at_least is None or value >= bar.at_least)


def demand(bar: Bar) -> str:
    """The bar in words."""
    parts = [f">= {bar.at_least:g}"] if bar.at_least is not None else []
    parts += [f"<= {bar.at_most:g}"] if bar.at_most is not None else []
    return f"{bar.metric} {' and '.join(parts)}" + (f" x {bar.over}" if bar.over else "")


_COLUMNS = (
    ("messages/s", "rate", "{:,.0f}"),
    ("program/s", "program_rate", "{:,.0f}"),
    ("p50 us", "p50_us", "{:,.1f}"),
    ("p99 us", "p99_us", "{:,.1f}"),
    ("client us/msg", "cpu_us", "{:.2f}"),
    ("with start-up", "whole_cpu_us", "{:.2f}"),
    ("server us/msg", "server_cpu_us", "{:.2f}"),
    ("writes/1000", "server_writes", "{:.1f}"),
)


def table(samples: Samples) -> str:
    """One line per contender: medians, and the extremes of the rate."""
    head = ["contender", *(title for title, _, _ in _COLUMNS)]
    head.insert(2, "min - max")
    rows = [head]
    for name, runs in samples.items():
        row = [name]
        for _, metric, form in _COLUMNS:
            found = values(runs, metric)
            row.append(form.format(spread(found).median) if found else "-")
        rate = spread(values(runs, "rate"))
        row.insert(2, f"{rate.low:,.0f} - {rate.high:,.0f}")
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        lines.append("  " + "  ".join(cells))
    return "\n".join(lines)


def verdict_line(v: Verdict) -> str:
    """One bar in one line."""
    word = "reached" if v.reached else "UNDECIDED" if v.undecided else "MISSED"
    inside = f"95 % interval {v.interval[0]:,.3f} - {v.interval[1]:,.3f}; " if v.interval else ""
    return f"  {word:9}  {v.demand}: {v.value:,.3f} ({inside}per round {v.rounds.low:,.3f} - {v.rounds.high:,.3f})"


def as_json(group: Group, samples: Samples, verdicts: list[Verdict]) -> dict[str, object]:
    """Everything that was measured for one group."""
    return {
        "group": dataclasses.asdict(group),
        "samples": {name: [dataclasses.asdict(s) for s in runs] for name, runs in samples.items()},
        "bars": [dataclasses.asdict(v) for v in verdicts],
    }
