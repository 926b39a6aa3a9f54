"""Histograms, schedules and recorded rows, shared by every part that measures.

>>> from headrace.measure import Histogram
>>> h = Histogram()
>>> h.record(250_000)
>>> h
<Histogram values 1, mean 250 us, p50 250 us, p90 250 us, p99 250 us, p99.9 250 us, max 250 us>

All times are nanoseconds: durations in a `Histogram`, CLOCK_MONOTONIC in rows and schedules. ``clock_anchor`` ties
monotonic times to the epoch: ``epoch_ns = monotonic_ns - anchor[0] + anchor[1]``.

- `Histogram` counts durations at three significant digits, merges, pickles and exports ``.hgrm``.
- `Pacer` says when each item of an open-loop load is meant to start.
- `SegmentReader` reads what the native recorders wrote, `SegmentWriter` writes the same from Python.
- `fold_id` gives an id as recorded rows keep it.
"""

from __future__ import annotations

from headrace._core import clock_anchor, monotonic_ns
from headrace._core.measure import Histogram, Pacer, SegmentReader, SegmentWriter, fold_id

ABSENT = -(2**63)
"""What an int64 time column holds where the event never happened."""

__all__ = [
    "ABSENT",
    "Histogram",
    "Pacer",
    "SegmentReader",
    "SegmentWriter",
    "clock_anchor",
    "fold_id",
    "monotonic_ns",
]
