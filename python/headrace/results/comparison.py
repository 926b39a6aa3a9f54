"""Comparing runs: the same metrics of the same cases, with an interval that says what is noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headrace.errors import InvalidArgument
from headrace.results import statistics
from headrace.results.part import Figures, part_name
from headrace.results.rules import Rule, metric_name, relative
from headrace.results.run import Case, Run, load
from headrace.results.schema import DURATIONS, PERCENTILES

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of one case in two runs. Values are medians over repeats, in ``unit``; shares are
    fractions."""

    case: str
    metric: str
    unit: str
    base: float
    other: float
    relative: float  #: (other - base) / base
    low: float  #: of the interval of ``relative``; NaN: no interval
    high: float
    run: str  #: which run ``other`` is of
    repeats: int  #: the smaller number of repeats

    @property
    def differs(self) -> bool:
        """Whether the interval excludes no difference at all."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class RuleResult:
    rule: str
    case: str
    run: str
    outcome: str  #: kept, broken, or unsure (beyond the limit, but the difference may be noise)
    text: str


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found. ``differences`` in the order of cases, then metrics, then runs."""

    base: str
    others: tuple[str, ...]
    confidence: float
    differences: tuple[Difference, ...]
    rules: tuple[RuleResult, ...] = ()
    notes: tuple[str, ...] = ()
    run_exit_code: int = field(default=0, repr=False)

    @property
    def broken(self) -> tuple[RuleResult, ...]:
        """The rules that failed."""
        return tuple(r for r in self.rules if r.outcome == "broken")

    @property
    def exit_code(self) -> int:
        """1 when a rule is broken or a run failed, 3 when a run is invalid, else 0."""
        return 1 if self.broken else self.run_exit_code

    def to_frame(self) -> pd.DataFrame:
        """One row per case, metric and run; ``relative``, ``low`` and ``high`` are fractions."""
        import pandas as pd

        names = list(Difference.__dataclass_fields__)
        frame = pd.DataFrame([asdict(d) for d in self.differences], columns=names)
        frame["differs"] = [d.differs for d in self.differences]
        return frame

    def table(self) -> str:
        """The comparison as lines of text, notes and rules last."""
        many = len(self.others) > 1
        head = [
            "case",
            *(["run"] if many else []),
            "metric",
            "base",
            "other",
            "change",
            f"{self.confidence:.0%} interval",
        ]
        rows = [head]
        for d in self.differences:
            mark = "" if math.isnan(d.low) else " *" if d.differs else " ~"
            span = "" if math.isnan(d.low) else f"{d.low:+.1%} .. {d.high:+.1%}"
            run = [d.run] if many else []
            name = f"{d.metric} [{d.unit}]" if d.unit else d.metric
            rows.append([d.case, *run, name, _figure(d.base), _figure(d.other), _percent(d.relative) + mark, span])
        texts = len(head) - 4
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(w) if i < texts else cell.rjust(w) for i, (cell, w) in enumerate(zip(r, widths, strict=True))
            )
            for r in rows
        ]
        lines = [line.rstrip() for line in lines]
        lines.insert(1, "  ".join("-" * w for w in widths))
        lines.append("* differs   ~ may be noise")
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"{r.outcome.upper():6} {r.text}" for r in self.rules]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Comparison of {self.base} with {', '.join(self.others)}: {len(self.broken)} rules broken>"

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(index=False, na_rep="", border=0, float_format=lambda v: f"{v:,.4g}")


def compare(
    base: Run | Case | str | Path,
    *others: Run | Case | str | Path,
    metrics: Iterable[str] | None = None,
    fail_if: Iterable[str] = (),
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compares runs (or single cases) with ``base``, metric by metric.

    Cases are matched by name; when each run has exactly one, those are matched whatever their names.
    Repeats of a case give medians; the interval of the relative difference comes from resampling repeats
    and blocks of time.
    ``metrics`` (None: those that say most about the part) and the left sides of ``fail_if`` (``'p99>+10%'``,
    ``'acked_rate<-5%'``, ``'lost>0'``) are columns of the summary or short names (rules.metric_name).

    Raises InvalidArgument for an unknown metric, an unreadable rule, runs of different parts, or runs without a
    common case.
    """
    if not others:
        raise InvalidArgument("a comparison needs at least two runs")
    if not 0 < confidence < 1:
        raise InvalidArgument(f"confidence is a share between 0 and 1, not {confidence}")
    first, rest = _side(base), [_side(other) for other in others]
    figures = _same_part(first, rest)
    rules = [Rule.parse(text, figures) for text in fail_if]
    wanted = figures.metrics if metrics is None else metrics
    names = list(dict.fromkeys([*(metric_name(m, figures) for m in wanted), *(r.metric for r in rules)]))
    notes: list[str] = []
    rng = np.random.default_rng(seed)
    differences: list[Difference] = []
    memory: dict[tuple[int, str, str], Any] = {}
    pairs = [(case, side, mine, theirs) for side in rest for case, mine, theirs in _matched(first, side, notes)]
    order = list(dict.fromkeys(case for case, *_ in pairs))
    for case, side, mine, theirs in sorted(pairs, key=lambda p: order.index(p[0])):
        for name in names:
            a = _cached(memory, mine, name, rng)
            b = _cached(memory, theirs, name, rng)
            low, high = _interval(a[1], b[1], confidence)
            repeats, unit = min(len(mine), len(theirs)), figures.units[name]
            differences.append(
                Difference(case, name, unit, a[0], b[0], relative(a[0], b[0]), low, high, side.label, repeats)
            )
    if differences and min(d.repeats for d in differences) == 1:
        notes.append("one repeat: intervals cover the variation within a run, not between runs; use --repeat 5")
    results = tuple(_judge(rule, d) for d in differences for rule in rules if rule.metric == d.metric)
    for side in (first, *rest):
        notes += [f"{side.label} is {side.run.verdict}: {'; '.join(side.run.reasons)}"] * (side.run.verdict != "valid")
    codes = [side.run.exit_code for side in (first, *rest)]
    code = 1 if 1 in codes else max(codes)
    labels = tuple(side.label for side in rest)
    return Comparison(first.label, labels, confidence, tuple(differences), results, tuple(notes), code)


@dataclass(frozen=True)
class _Side:
    label: str
    run: Run
    cases: Mapping[str, list[Case]]


def _side(what: Run | Case | str | Path) -> _Side:
    if isinstance(what, Case):
        return _Side(what.label, what.run, {what.name: [what]})
    run = what if isinstance(what, Run) else load(what)
    cases: dict[str, list[Case]] = {}
    for case in run.cases:
        cases.setdefault(case.name, []).append(case)
    return _Side(run.path.name if run.path else run.name, run, cases)


def _same_part(first: _Side, rest: Sequence[_Side]) -> Figures:
    parts = {side.label: part_name(side.run.document) for side in (first, *rest)}
    if len(set(parts.values())) > 1:
        listed = ", ".join(f"{label} is of part {name}" for label, name in parts.items())
        raise InvalidArgument(f"runs of different parts cannot be compared: {listed}")
    return first.run.figures


def _matched(a: _Side, b: _Side, notes: list[str]) -> list[tuple[str, list[Case], list[Case]]]:
    common = [name for name in a.cases if name in b.cases]
    if not common and len(a.cases) == len(b.cases) == 1:
        (x, mine), (y, theirs) = next(iter(a.cases.items())), next(iter(b.cases.items()))
        return [(f"{x} / {y}", mine, theirs)]
    if not common:
        known = f"{', '.join(a.cases) or 'none'}; {', '.join(b.cases) or 'none'}"
        raise InvalidArgument(f"{a.label} and {b.label} have no case in common ({known})")
    for side, other in ((a, b), (b, a)):
        left = [name for name in side.cases if name not in other.cases]
        if left:
            notes.append(f"only in {side.label}: {', '.join(left)}")
    return [(name, a.cases[name], b.cases[name]) for name in common]


def _cached(memory: dict[Any, Any], cases: list[Case], metric: str, rng: np.random.Generator) -> Any:
    key = (id(cases[0]), cases[0].label, metric)
    if key not in memory:
        memory[key] = _measure(cases, metric, rng, memory)
    return memory[key]


def _measure(
    cases: list[Case], metric: str, rng: np.random.Generator, memory: dict[Any, Any]
) -> tuple[float, statistics.Floats | None]:
    """(median over repeats, its resampled distribution; None for a metric without one)."""
    stored = [case.summary.get(metric) for case in cases]
    values = [math.nan if v is None else float(v) for v in stored]
    value = math.nan if any(map(math.isnan, values)) else float(np.median(values))
    resampled = [_resample(case, metric, rng, memory) for case in cases]
    if all(r is not None for r in resampled):
        return value, statistics.median_over_repeats([r for r in resampled if r is not None], rng)
    if len(cases) > 1 and not math.isnan(value) and _varies(cases[0], metric):
        flat = [np.full(statistics.RESAMPLES, v) for v in values]
        return value, statistics.median_over_repeats(flat, rng)
    return value, None


def _varies(case: Case, metric: str) -> bool:
    """Whether the column is a measured quantity, rather than a count."""
    return any(c.name == metric and c.type == "double" for c in case.run.figures.columns)


def _resample(case: Case, metric: str, rng: np.random.Generator, memory: dict[Any, Any]) -> statistics.Floats | None:
    name, _, statistic = metric.rpartition("_")
    times = memory.get((id(case), "times")) or case.measured_times()
    memory[id(case), "times"] = times
    if name in DURATIONS and statistic in PERCENTILES:
        key = (id(case), "quantiles", name)
        if key not in memory:
            shares = [p / 100 for p in PERCENTILES.values()]
            memory[key] = statistics.quantiles(times.durations_ns(name), shares, rng)
        column: statistics.Floats = memory[key][:, list(PERCENTILES).index(statistic)]
        return column
    if name in DURATIONS and statistic == "avg":
        return statistics.means(times.durations_ns(name), rng)
    if metric in ("acked_rate", "received_rate"):
        return statistics.event_rates(times.stamps(metric.removesuffix("_rate")), rng)
    return None


def _interval(a: statistics.Floats | None, b: statistics.Floats | None, confidence: float) -> tuple[float, float]:
    if a is None or b is None:
        return math.nan, math.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return statistics.interval((b - a) / a, confidence)


def _judge(rule: Rule, d: Difference) -> RuleResult:
    outcome = rule.outcome(d.base, d.other, d.low, d.high)
    change = f"{_figure(d.base)} to {_figure(d.other)} {d.unit}".rstrip() + f" ({_percent(d.relative)})"
    why = {"broken": "broken", "kept": "kept", "unsure": "beyond the limit, but the difference may be noise"}[outcome]
    if math.isnan(d.relative):
        why = "not measured"
    return RuleResult(rule.text, d.case, d.run, outcome, f"{d.case}: {rule.text}: {change}: {why}")


def _figure(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else "inf" if math.isinf(share) else f"{share:+.1%}"


__all__: Sequence[str] = ("Comparison", "Difference", "RuleResult", "compare")
