"""The figures of the message-queue part: the ledger's join, the seed's sixteen metrics, percentiles, the verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError
from headrace.results import metrics, samples
from headrace.results.build import CaseResult, label
from headrace.results.part import Figures, Shown
from headrace.results.schema import DURATIONS, SUMMARY
from headrace.results.verdict import CaseFacts, Rates, apply_expect, judge

_METRICS = (
    "processing_latency_p50",
    "processing_latency_p99",
    "processing_latency_p99.9",
    "send_time_p50",
    "send_time_p99",
    "acked_rate",
    "received_rate",
    "duplicated",
    "lost",
)
_SHOWN = (
    Shown("sent", "sent"),
    Shown("lost", "lost"),
    Shown("duplicated", "dup"),
    Shown("processing_latency_p50", "latency\np50 ms", 3),
    Shown("processing_latency_p99", "\np99 ms", 3),
    Shown("send_time_p50", "send\np50 ms", 3),
    Shown("send_time_p99", "\np99 ms", 3),
    Shown("acked_rate", "acked\n/s"),
    Shown("received_rate", "received\n/s"),
)
_GLANCE = (
    "sent",
    "received",
    "lost",
    "duplicated",
    "processing_latency_p50",
    "processing_latency_p99",
    "send_time_p50",
    "acked_rate",
)


def analyse(path: Path, document: dict[str, Any], entry: dict[str, Any]) -> CaseResult:
    """Joins and judges one case of the run folder ``path``."""
    facts = CaseFacts.from_json(entry.get("facts") or {})
    shift = document["anchor"]["epoch_ns"] - document["anchor"]["monotonic_ns"]
    try:
        inputs = samples.Inputs.find(path / entry["folder"])
        joined = samples.join(inputs, case=entry["name"], repeat=entry["repeat"], epoch_shift_ns=shift)
    except HeadraceError as error:
        joined = samples.Joined()
        facts = replace(facts, failures=(*facts.failures, f"what was recorded cannot be read: {error}"))
    return figures(joined, entry, facts)


def figures(joined: samples.Joined, entry: dict[str, Any], facts: CaseFacts) -> CaseResult:
    """The verdict and the summary row of a joined case."""
    times = metrics.Times.of(joined.table).after(facts.warmup_s)
    measured: Rates = metrics.rates(times)
    verdict = judge(joined.counts, measured, facts)
    expect = entry.get("expect")
    row = metrics.summary_row(entry["name"], entry["repeat"], times, joined.counts, facts, verdict, expect)
    return CaseResult(label(entry), row, verdict, apply_expect(verdict, expect), joined)


FIGURES = Figures(SUMMARY, _METRICS, tuple(DURATIONS), _SHOWN, _GLANCE, analyse)
