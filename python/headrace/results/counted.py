"""Figures of a part that counts its items: what its programs recorded, its verdict, one row of its columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError
from headrace.results.build import CaseResult, label
from headrace.results.recording import Recording, number
from headrace.results.schema import Column
from headrace.results.verdict import OFFERED_SHARE, CaseFacts, Verdict, above_bound, apply_expect


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that ``rate`` can be, per second, and the sentence part that says why: ``8 workers of 5 ms allow``."""

    rate: float = math.nan
    why: str = ""


@dataclass
class Findings:
    """What speaks against a case: whatever is in ``failed`` wins over ``invalid``, and that over ``limited``."""

    failed: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    limited: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def verdict(self) -> Verdict:
        """The verdict with its reasons."""
        notes = tuple(self.notes)
        if self.failed:
            return Verdict("failed", (*self.failed, *self.invalid), notes)
        if self.invalid:
            return Verdict("invalid", tuple(self.invalid), notes)
        if self.limited:
            return Verdict("generator-limited", tuple(self.limited), notes)
        return Verdict("valid", (), notes)


#: (what was recorded, what the runner knows, the case's settings) -> what speaks against it, and its bound.
Judge = Callable[[Recording, CaseFacts, dict[str, Any]], tuple[Findings, Bound]]


def analyse(path: Path, entry: dict[str, Any], columns: Sequence[Column], judge: Judge) -> CaseResult:
    """The figures of the case ``entry`` of the run folder ``path``. What cannot be read has failed."""
    facts = CaseFacts.from_json(entry.get("facts") or {})
    recording = Recording()
    try:
        recording = Recording.load(path / entry["folder"])
    except HeadraceError as error:
        facts = replace(facts, failures=(*facts.failures, f"what was recorded cannot be read: {error}"))
    found, bound = judge(recording, facts, entry.get("params") or {})
    verdict, expect = found.verdict(), entry.get("expect")
    judged = {
        "case": entry["name"],
        "repeat": entry["repeat"],
        "asked_rate": facts.asked_rate,
        "bound": bound.rate,
        "bound_by": bound.why or None,
        "verdict": verdict.verdict,
        "expect": expect,
        "reasons": "; ".join(verdict.reasons),
    }
    row = _row(columns, recording, judged)
    return CaseResult(label(entry), row, verdict, apply_expect(verdict, expect))


def _row(columns: Sequence[Column], recording: Recording, judged: dict[str, Any]) -> dict[str, Any]:
    spreads: dict[str, Any] = {}
    for name in recording.histograms:
        spreads |= recording.milliseconds(name)
    known = {**recording.figures, **spreads, **judged}
    kinds = {"double": float, "int64": int, "int32": int, "string": str}
    return {c.name: None if known.get(c.name) is None else kinds[c.type](known[c.name]) for c in columns}


def impossible(recording: Recording, bound: Bound, what: str) -> list[str]:
    """The reason when the case is faster than anything can be."""
    reason = above_bound(what, number(recording.figures, "rate"), bound.rate, bound.why)
    return [reason] if reason else []


def fell_short(recording: Recording, facts: CaseFacts, what: str) -> list[str]:
    """The reason when an open loop did not start ``what`` (a plural) at the rate that was asked for."""
    offered = number(recording.figures, "offered_rate")
    asked = facts.asked_rate
    if asked is None or math.isnan(offered) or offered >= OFFERED_SHARE * asked:
        return []
    share = f"{offered:,.1f} of {asked:,.1f} {what}/s were started ({offered / asked:.1%})"
    return [f"the generator did not keep up: {share}"]


def least(*bounds: Bound) -> Bound:
    """The bound that allows least; none when none is known."""
    known = [b for b in bounds if not math.isnan(b.rate)]
    return min(known, key=lambda b: b.rate, default=Bound())
