"""What a batcher has done so far, for people (`repr`, a table in a notebook) and for Prometheus."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from headrace.measure import Histogram

REASONS = ("size", "timeout", "idle", "quiescent", "drain")
# Upper ends of the buckets that Prometheus gets: seconds for times, items for sizes.
_TIME_BUCKETS = (1e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0, 5.0, 10.0)
_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


@dataclass(frozen=True)
class Stats:
    """One moment of a batcher.

    Attributes:
        name: of the batcher.
        depth: items that wait to be sent.
        running: batches that the function works on.
        concurrency: batches that may run at once, as the limiter has it now.
        min_concurrency, max_concurrency: the limiter's range.
        saturation: running over concurrency, 0 to 1. At 1 with a depth that grows, this stage is the bottleneck.
        tokens: what the rate limit has left; infinite without one.
        submitted, completed, failed: items; failed ones are not completed ones.
        batches: calls of the function.
        reasons: batches by why they left: "size", "timeout" (the window ended), "idle" (nothing to wait for),
            "quiescent" (nobody who runs could still join), "drain" (shutdown).
        dedupe_hits, cache_hits: items that shared the call, or the result, of an equal key.
        rejects: items refused, or dropped for newer ones, because the queue was full.
        cancels: items that their caller gave up.
        deadline_misses: items whose deadline passed first.
        batch_size: histogram of items per batch (plain numbers, not ns).
        wait: histogram of the time from submit to the call of the function.
        service: histogram of the time that the function took per batch.
    """

    name: str
    depth: int
    running: int
    concurrency: int
    min_concurrency: int
    max_concurrency: int
    saturation: float
    tokens: float
    submitted: int
    completed: int
    failed: int
    batches: int
    reasons: dict[str, int]
    dedupe_hits: int
    cache_hits: int
    rejects: int
    cancels: int
    deadline_misses: int
    batch_size: Histogram
    wait: Histogram
    service: Histogram

    def rows(self) -> Iterator[tuple[str, str]]:
        """What a person wants to see, as (what, value)."""
        yield "submitted", f"{self.submitted}"
        yield "completed, failed", f"{self.completed}, {self.failed}"
        yield "waiting now", f"{self.depth}"
        yield (
            "batches running",
            f"{self.running} of {self.concurrency} (min {self.min_concurrency}, max {self.max_concurrency})",
        )
        yield "saturation", f"{self.saturation:.0%}"
        if np.isfinite(self.tokens):
            yield "tokens", f"{self.tokens:.1f}"
        yield "batches", f"{self.batches}, {self.items_per_batch:.1f} items each"
        yield "why they left", ", ".join(f"{why} {n}" for why, n in self.reasons.items() if n) or "-"
        yield "shared", f"{self.dedupe_hits} in flight, {self.cache_hits} from the cache"
        yield "refused, cancelled, late", f"{self.rejects}, {self.cancels}, {self.deadline_misses}"
        yield "wait p50, p99", _two(self.wait)
        yield "service p50, p99", _two(self.service)

    @property
    def items_per_batch(self) -> float:
        """The mean; 0 before the first batch."""
        return self.batch_size.mean

    def __repr__(self) -> str:
        return (
            f"<Stats of {self.name!r}: {self.submitted} submitted, {self.completed} completed, {self.failed} failed, "
            f"{self.batches} batches of {self.items_per_batch:.1f}, {self.depth} waiting, wait p99 "
            f"{self.wait.percentile(99) / 1e6:.3g} ms>"
        )

    def _repr_html_(self) -> str:
        body = "".join(
            f"<tr><th>{html.escape(what)}</th><td>{html.escape(value)}</td></tr>" for what, value in self.rows()
        )
        return f"<table><caption>{html.escape(self.name)}</caption>{body}</table>"


def _two(times: Histogram) -> str:
    median, late = times.percentiles([50, 99])
    return f"{median / 1e6:.3g} ms, {late / 1e6:.3g} ms"


# Metric, its type, its help, the attribute.
_SIMPLE = (
    ("queue_depth", "gauge", "Items that wait to be sent.", "depth"),
    ("batches_running", "gauge", "Batches that the function works on.", "running"),
    ("concurrency_limit", "gauge", "Batches that may run at once.", "concurrency"),
    ("saturation_ratio", "gauge", "Batches that run over batches that may run.", "saturation"),
    ("rate_limit_tokens", "gauge", "Tokens left; +Inf without a rate limit.", "tokens"),
    ("submitted_total", "counter", "Items submitted.", "submitted"),
    ("completed_total", "counter", "Items completed.", "completed"),
    ("failed_total", "counter", "Items failed.", "failed"),
    ("dedupe_hits_total", "counter", "Items that shared the call of an equal key.", "dedupe_hits"),
    ("cache_hits_total", "counter", "Items answered from the cache.", "cache_hits"),
    ("rejects_total", "counter", "Items refused or dropped because the queue was full.", "rejects"),
    ("cancels_total", "counter", "Items given up by their caller.", "cancels"),
    ("deadline_misses_total", "counter", "Items whose deadline passed first.", "deadline_misses"),
)
_HISTOGRAMS = (
    ("batch_size_items", "Items per batch.", "batch_size", _SIZE_BUCKETS, 1.0),
    ("wait_seconds", "From submit to the call of the function.", "wait", _TIME_BUCKETS, 1e-9),
    ("service_seconds", "Duration of the function, per batch.", "service", _TIME_BUCKETS, 1e-9),
)


def prometheus_text(stats: Iterable[Stats]) -> str:
    """The metrics of some batchers in Prometheus's text format (exposition format 0.0.4).

    Names begin with ``headrace_batch_``; the label ``batcher`` is the name.
    """
    every = list(stats)
    lines: list[str] = []
    for metric, kind, text, attribute in _SIMPLE:
        lines += _heading(metric, kind, text)
        lines += [_sample(metric, one.name, getattr(one, attribute)) for one in every]
    lines += _heading("batches_total", "counter", "Batches by the reason why they left.")
    lines += [_sample("batches_total", s.name, n, reason=why) for s in every for why, n in s.reasons.items()]
    for metric, text, attribute, bounds, unit in _HISTOGRAMS:
        lines += _heading(metric, "histogram", text)
        for one in every:
            lines += _buckets(metric, one.name, getattr(one, attribute), bounds, unit)
    return "\n".join(lines) + "\n"


def _heading(metric: str, kind: str, text: str) -> list[str]:
    return [f"# HELP headrace_batch_{metric} {text}", f"# TYPE headrace_batch_{metric} {kind}"]


def _sample(metric: str, batcher: str, value: float, **labels: str) -> str:
    named = ",".join(f'{label}="{_escaped(text)}"' for label, text in {"batcher": batcher, **labels}.items())
    return f"headrace_batch_{metric}{{{named}}} {_number(value)}"


def _buckets(metric: str, batcher: str, times: Histogram, bounds: tuple[float, ...], unit: float) -> list[str]:
    counted: Any = np.concatenate(([0], np.cumsum(times.counts)))
    lower: Any = Histogram.bounds[: len(times.counts)]  # a slot counts where its values begin: exact for small sizes
    lines = [
        _sample(
            f"{metric}_bucket", batcher, int(counted[np.searchsorted(lower, bound / unit, "right")]), le=f"{bound:g}"
        )
        for bound in bounds
    ]
    lines.append(_sample(f"{metric}_bucket", batcher, times.count, le="+Inf"))
    lines.append(_sample(f"{metric}_sum", batcher, times.mean * times.count * unit))
    return [*lines, _sample(f"{metric}_count", batcher, times.count)]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return "+Inf" if np.isposinf(value) else repr(float(value))
