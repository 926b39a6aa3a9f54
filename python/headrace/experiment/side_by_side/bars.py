"""Medians, ratios and bars.

A bar of a group of whole runs compares the medians of two contenders. Where they took turns in slices, each pair
of neighbours gives a ratio, and the bar is held against the median ratio with its interval: the order statistics
that enclose the true median with at least 95 % whatever the distribution (the sign test turned round). A bar is
reached when the whole interval reaches it, missed when none of it does, and undecided, which is not reached,
when it lies inside.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

OURS: Final = "headrace"

#: contender -> one sample per round: a mapping of figures, or an object with them as attributes.
Samples = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Bar:
    """A demand on the median of ``metric``, of one contender alone, over that of a rival, or beyond it.

    Of several rivals the best counts: the highest for ``at_least``, the lowest for ``at_most``.
    """

    metric: str
    over: str | Sequence[str] | None = None  #: divided by the figure of
    minus: str | None = None  #: less the figure of
    at_least: float | None = None
    at_most: float | None = None
    of: str = OURS

    @property
    def rivals(self) -> tuple[str, ...]:
        return () if self.over is None else (self.over,) if isinstance(self.over, str) else tuple(self.over)


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


def values(samples: Sequence[Any], metric: str) -> list[float]:
    """The figure `metric` of each round that has it."""
    found = [s.get(metric) if isinstance(s, Mapping) else getattr(s, metric) for s in samples]
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
    ours = values(samples.get(bar.of, []), bar.metric)
    theirs = _theirs(bar, samples, len(ours))
    if not ours or theirs is None or len(theirs) != len(ours):
        return None
    rounds = [a - b if bar.minus else a / b for a, b in zip(ours, theirs, strict=True)]
    if not paired:
        mine, other = statistics.median(ours), statistics.median(theirs)
        value = mine - other if bar.minus else mine / other
        return Verdict(demand(bar), value, spread(rounds), fulfils(bar, value))
    ends = interval(rounds)
    met = [fulfils(bar, end) for end in ends]
    return Verdict(demand(bar), statistics.median(rounds), spread(rounds), all(met), ends, any(met) and not all(met))


def _theirs(bar: Bar, samples: Samples, rounds: int) -> list[float] | None:
    """What the bar's own figures are compared with; None when a rival did not run."""
    if bar.minus:
        return values(samples.get(bar.minus, []), bar.metric)
    if not bar.rivals:
        return [1.0] * rounds
    figures = [values(samples.get(name, []), bar.metric) for name in bar.rivals]
    if not all(figures):
        return None
    best = max if bar.at_least is not None else min
    return best(figures, key=statistics.median)


def fulfils(bar: Bar, value: float) -> bool:
    """Whether `value` lies within the bar's limits."""
    return (bar.at_most is None or value <= bar.at_most) and (bar.at_least is None or value >= bar.at_least)


def demand(bar: Bar) -> str:
    """The bar in words."""
    parts = [f">= {bar.at_least:g}"] if bar.at_least is not None else []
    parts += [f"<= {bar.at_most:g}"] if bar.at_most is not None else []
    who = "" if bar.of == OURS else f"{bar.of}: "
    beside = f" x {_names(bar.rivals)}" if bar.rivals else f" more than {bar.minus}" if bar.minus else ""
    return f"{who}{bar.metric} {' and '.join(parts)}{beside}"


def _names(rivals: Sequence[str]) -> str:
    return rivals[0] if len(rivals) == 1 else f"the best of {', '.join(rivals)}"


def verdict_line(v: Verdict) -> str:
    """One bar in one line."""
    word = "reached" if v.reached else "UNDECIDED" if v.undecided else "MISSED"
    inside = f"95 % interval {v.interval[0]:,.3f} - {v.interval[1]:,.3f}; " if v.interval else ""
    return f"  {word:9}  {v.demand}: {v.value:,.3f} ({inside}per round {v.rounds.low:,.3f} - {v.rounds.high:,.3f})"
