"""Rules such as ``p99>+10%`` that say when a comparison has failed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from headrace.errors import InvalidArgument
from headrace.results.part import DEFAULT_PART, Figures, figures

_RULE = re.compile(r"\s*([A-Za-z][\w.]*)\s*([<>])\s*([+-]?)(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*")


def metric_name(text: str, of: Figures | None = None) -> str:
    """The summary column that ``text`` names, of the message-queue part unless ``of`` says otherwise.

    That is itself, ``processing_latency_p99`` for ``p99`` (the part's first duration), or ``send_time_p99`` for
    ``send_p99``. Raises InvalidArgument for what is none, with examples.
    """
    part = of or figures(DEFAULT_PART)
    head, _, tail = text.rpartition("_")
    first = part.durations[0] if part.durations else ""
    for name in (text, *(f"{d}_{tail}" for d in part.durations if d.startswith(head or first))):
        if name in part.units:
            return name
    examples = ", ".join(dict.fromkeys(["p50", "p99", *part.metrics[-3:]]))
    raise InvalidArgument(f"unknown metric {text!r}; use {examples}, or a numeric column of summary.csv")


@dataclass(frozen=True, slots=True)
class Rule:
    """``metric`` over or under a limit: of its value, its difference (in its unit), or its relative
    difference."""

    text: str
    metric: str
    above: bool
    limit: float  #: a relative limit is a fraction: 0.1 for 10 %
    relative: bool
    difference: bool

    @classmethod
    def parse(cls, text: str, of: Figures | None = None) -> Rule:
        """``METRIC > LIMIT`` or ``METRIC < LIMIT``; ``of`` as for ``metric_name``.

        ``+10%`` compares the relative difference, ``+2`` the difference in the metric's unit, ``2`` the
        value itself. Raises InvalidArgument.
        """
        found = _RULE.fullmatch(text)
        if found is None:
            raise InvalidArgument(f"cannot read the rule {text!r}; write for example 'p99>+10%' or 'lost>0'")
        name, comparison, sign, digits, percent = found.groups()
        limit = float(digits) * (-1 if sign == "-" else 1) / (100 if percent else 1)
        difference = bool(sign or percent)
        return cls(text.strip(), metric_name(name, of), comparison == ">", limit, bool(percent), difference)

    def outcome(self, base: float, other: float, low: float, high: float) -> str:
        """``kept``, ``broken``, or ``unsure``: beyond the limit, but the interval of the relative
        difference holds 0.

        ``low`` and ``high`` are fractions, NaN when there is no interval; then the figures decide alone.
        """
        value = other
        if self.difference:
            value = relative(base, other) if self.relative else other - base
        if math.isnan(value):
            return "unsure"
        beyond = value > self.limit if self.above else value < self.limit
        if not beyond:
            return "kept"
        return "unsure" if self.difference and low <= 0 <= high else "broken"


def relative(base: float, other: float) -> float:
    """(other - base) / base as a fraction; 0 when both are 0, infinite when only ``base`` is, NaN for NaN."""
    if math.isnan(base) or math.isnan(other):
        return math.nan
    if base == 0:
        return 0.0 if other == 0 else math.copysign(math.inf, other)
    return (other - base) / abs(base)
