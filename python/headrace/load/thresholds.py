"""Rules such as ``p99>200ms`` that say when a load test has failed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.errors import InvalidArgument

if TYPE_CHECKING:
    from headrace.load.result import LoadResult

_RULE = re.compile(r"\s*([A-Za-z_]+|p\d+(?:\.\d+)?)\s*([<>])\s*(\d+(?:\.\d*)?|\.\d+)\s*(us|ms|s|%|/s)?\s*")
_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")
_TO_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_TIMES = ("mean", "min", "max", "stddev")
_COUNTS = ("failed", "unsent", "unfinished")
_UNITS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_TIMES, tuple(_TO_MS)),
    **dict.fromkeys(_COUNTS, ("", "%")),
    "rate": ("", "/s"),
    "availability": ("", "%"),
    "concurrency": ("",),
}


@dataclass(frozen=True)
class Threshold:
    """A metric over or under a limit. Times are compared in ms; ``share``: per cent of all requests."""

    text: str
    metric: str
    above: bool
    limit: float
    share: bool = False

    @classmethod
    def parse(cls, text: str) -> Threshold:
        """``METRIC > LIMIT`` or ``METRIC < LIMIT``, the limit with a unit: us, ms (also without one), s, %, /s.

        Metrics: p50, p99.9 and the like, mean, min, max, stddev (response time); rate; failed, unsent, unfinished
        (a count, or % of all requests); availability; concurrency. Raises InvalidArgument.
        """
        found = _RULE.fullmatch(text)
        if found is None:
            raise InvalidArgument(f"cannot read the rule {text!r}; write for example 'p99>200ms' or 'failed>0.1%'")
        name, comparison, digits, unit = found.groups(default="")
        percentile = _PERCENTILE.fullmatch(name)
        units = tuple(_TO_MS) if percentile else _UNITS.get(name)
        if units is None or (percentile and float(percentile[1]) > 100):
            raise InvalidArgument(f"unknown metric {name!r} in {text!r}; use p50, p99.9, {', '.join(_UNITS)}")
        if unit not in units and not (unit == "" and units == tuple(_TO_MS)):
            raise InvalidArgument(f"{name} is not measured in {unit!r} (rule {text!r})")
        limit = float(digits) * _TO_MS.get(unit, 1.0)
        return cls(text.strip(), name, comparison == ">", limit, share=unit == "%" and name in _COUNTS)

    def value(self, of: LoadResult) -> float:
        """What the rule looks at: ms, per second, per cent or a count."""
        percentile = _PERCENTILE.fullmatch(self.metric)
        if percentile:
            return of.percentile(float(percentile[1]))
        if self.metric in _TIMES:
            return float(getattr(of.response, self.metric)) / 1e6
        value = float(getattr(of, self.metric))
        return 100 * value / max(of.requests, 1) if self.share else value

    def broken_by(self, of: LoadResult) -> str:
        """What happened, in words; empty when the rule is kept."""
        value = self.value(of)
        beyond = value > self.limit if self.above else value < self.limit
        return f"{self.text}: it was {value:.6g}{self._unit()}" if beyond else ""

    def _unit(self) -> str:
        if self.share or self.metric == "availability":
            return " %"
        if self.metric == "rate":
            return "/s"
        return "" if self.metric in _UNITS and self.metric not in _TIMES else " ms"
