"""The figures of one case, from its samples: durations, throughput per second, rates, and the summary row.

The earliest send and the earliest receipt of an id count. Seconds are counted from the first send, starting
at 0, and silent seconds are zeros. The standard deviation is the sample's (n - 1). What was not measured is
NaN, never 0.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headrace.results.schema import DURATIONS, PERCENTILES, SUMMARY
from headrace.results.verdict import CaseFacts, Counts, Rates, Verdict, bound_window

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Times:
    """The stamps of the ids of one case, first receipts only, in producer order; int64 ns with masks of
    presence."""

    values: dict[str, Ints]
    present: dict[str, npt.NDArray[np.bool_]]
    producer: Ints  #: which producer thread sent it: equal numbers, same thread

    @classmethod
    def of(cls, table: pa.Table) -> Times:
        attempt = table["attempt"].to_numpy()
        first = np.asarray(attempt <= 1)
        values, present = {}, {}
        for name in ("intended", "sent", "acked", "received"):
            column = table[name].combine_chunks()
            present[name] = np.asarray(column.is_valid())[first]
            values[name] = np.asarray(column.fill_null(0), dtype=np.int64)[first]
        return cls(values, present, _producers(table)[first])

    def after(self, warmup_s: float) -> Times:
        """Only the ids meant to be sent at least ``warmup_s`` seconds after the first send."""
        origin = self.origin()
        if warmup_s <= 0 or origin is None:
            return self
        due = np.where(self.present["intended"], self.values["intended"], self.values["sent"])
        known = self.present["intended"] | self.present["sent"]
        keep = known & (due >= origin + int(warmup_s * _SECOND))
        values = {name: column[keep] for name, column in self.values.items()}
        return Times(values, {n: c[keep] for n, c in self.present.items()}, self.producer[keep])

    def durations_ns(self, name: str) -> Ints:
        """The duration ``name`` of schema.DURATIONS of every id that has both ends, nanoseconds, in
        producer order."""
        start, end, _ = DURATIONS[name]
        both = self.present[start] & self.present[end]
        return self.values[end][both] - self.values[start][both]

    def stamps(self, name: str) -> Ints:
        """The times called ``name`` that happened, ns."""
        return self.values[name][self.present[name]]

    def origin(self) -> int | None:
        """The first send, ns; the first receipt when nothing was sent; None when there is neither."""
        for name in ("sent", "received"):
            stamps = self.stamps(name)
            if len(stamps):
                return int(stamps.min())
        return None


def _producers(table: pa.Table) -> Ints:
    source = table["source"].combine_chunks()
    if not pa.types.is_dictionary(source.type):
        source = source.dictionary_encode()
    codes = np.asarray(source.indices.fill_null(-1), dtype=np.int64)
    return (codes << 32) + np.asarray(table["worker"].combine_chunks().fill_null(0), dtype=np.int64)


def per_second(times: Times) -> tuple[Ints, Ints]:
    """(received, sent): counts for each second since the first send. Silent seconds are zeros. Both equally
    long."""
    origin = times.origin()
    if origin is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    received, sent = (times.stamps(name) - origin for name in ("received", "sent"))
    received = received[received >= 0]
    last = max((int(x.max()) for x in (received, sent) if len(x)), default=0)
    seconds = last // _SECOND + 1
    return (
        np.bincount(received // _SECOND, minlength=seconds).astype(np.int64),
        np.bincount(sent // _SECOND, minlength=seconds).astype(np.int64),
    )


def four(values: npt.NDArray[Any]) -> dict[str, float]:
    """Smallest, largest, mean and sample standard deviation. NaN for what the number of values does not
    allow."""
    n = len(values)
    if n == 0:
        return dict.fromkeys(("min", "max", "avg", "stddev"), math.nan)
    return {
        "min": float(values.min()),
        "max": float(values.max()),
        "avg": float(values.mean()),
        "stddev": float(values.std(ddof=1)) if n > 1 else math.nan,
    }


def percentiles(sorted_values: npt.NDArray[Any]) -> dict[str, float]:
    """The percentiles of schema.PERCENTILES: the smallest value that at least this share does not exceed."""
    n = len(sorted_values)
    if n == 0:
        return dict.fromkeys(PERCENTILES, math.nan)
    ranks = [max(math.ceil(n * p / 100 - 1e-9), 1) - 1 for p in PERCENTILES.values()]
    return {name: float(sorted_values[rank]) for name, rank in zip(PERCENTILES, ranks, strict=True)}


def rates(times: Times) -> Rates:
    """Scheduled, offered, acknowledged and received rates per second, and the mean send time in seconds."""
    send = times.durations_ns("send_time")
    acked, sent, received = (times.stamps(n) for n in ("acked", "sent", "received"))
    scheduled, offered = _offered(times)
    return Rates(
        messages=len(sent),
        scheduled=scheduled,
        offered=offered,
        acked=_rate(len(acked), _span(sent, acked)),
        received=_rate(len(received) - 1, _span(received, received)),
        mean_send_s=float(send.mean()) / _SECOND if len(send) else math.nan,
    )


def _offered(times: Times) -> tuple[float, float]:
    """(scheduled, offered) rates, summed over producer threads, which need not start together.

    A thread's scheduled rate is that of its intended times. Its offered rate divides by a longer time:
    longer by the median lateness of its last tenth, so that falling behind shows and one late message at
    the end does not.
    """
    both = times.present["intended"] & times.present["sent"]
    intended, sent = times.values["intended"][both], times.values["sent"][both]
    order = np.lexsort((intended, times.producer[both]))
    intended, late = intended[order], (sent - intended)[order]
    edges = np.flatnonzero(np.diff(times.producer[both][order])) + 1
    scheduled = offered = math.nan
    for due, lag in zip(np.split(intended, edges), np.split(late, edges), strict=True):
        if len(due) < 2 or due[-1] == due[0]:
            continue
        span = int(due[-1] - due[0])
        behind = max(float(np.median(lag[-max(len(lag) // 10, 1) :])), 0.0)
        scheduled = np.nansum([scheduled, (len(due) - 1) * _SECOND / span])
        offered = np.nansum([offered, (len(due) - 1) * _SECOND / (span + behind)])
    return float(scheduled), float(offered)


def _span(starts: Ints, ends: Ints) -> int:
    return int(ends.max()) - int(starts.min()) if len(starts) and len(ends) else 0


def _rate(count: int, span_ns: int) -> float:
    return count * _SECOND / span_ns if span_ns > 0 and count > 0 else math.nan


def duration_s(times: Times) -> float:
    """First send to the last acknowledgement or receipt, seconds."""
    origin = times.origin()
    ends = [int(x.max()) for x in (times.stamps("sent"), times.stamps("acked"), times.stamps("received")) if len(x)]
    return (max(ends) - origin) / _SECOND if origin is not None and ends else math.nan


def summary_row(
    case: str,
    repeat: int,
    times: Times,
    counts: Counts,
    facts: CaseFacts,
    verdict: Verdict,
    expect: str | None,
) -> dict[str, Any]:
    """One row of the summary, its keys in the order of schema.SUMMARY."""
    row: dict[str, Any] = {"case": case, "repeat": repeat}
    for name in DURATIONS:
        ms = np.sort(times.durations_ns(name)) / 1e6
        row |= {f"{name}_{k}": v for k, v in (four(ms) | percentiles(ms)).items()}
    received, sent = per_second(times)
    row |= {f"processing_throughput_{k}": v for k, v in four(received).items()}
    row |= {f"send_throughput_{k}": v for k, v in four(sent).items()}
    measured = rates(times)
    bound = math.nan
    if facts.window is not None and not math.isnan(measured.mean_send_s):
        bound = bound_window(facts.window, measured.mean_send_s)
    row |= asdict(counts) | {
        "duration_s": duration_s(times),
        "offered_rate": measured.offered,
        "acked_rate": measured.acked,
        "received_rate": measured.received,
        "asked_rate": math.nan if facts.asked_rate is None else facts.asked_rate,
        "window": facts.window,
        "bound": bound,
        "verdict": verdict.verdict,
        "expect": expect,
        "reasons": "; ".join(verdict.reasons),
    }
    return {column.name: row[column.name] for column in SUMMARY}
