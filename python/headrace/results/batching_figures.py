"""The figures of the batching part: every item accounted for, latency without the downstream's own time, batches.

An item is one call, such as ``await f(x)``; the downstream is what a batch of them is handed to. ``latency`` is
what batching adds: completion minus intended start minus the time that the downstream needed for the batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from headrace.results.build import CaseResult
from headrace.results.counted import Bound, Findings, analyse, fell_short, impossible, least
from headrace.results.part import Figures, Shown
from headrace.results.recording import Recording, number
from headrace.results.schema import JUDGEMENT, KEYS, Column, spread
from headrace.results.verdict import CaseFacts, bound_users, bound_workers

REASONS: Final = ("size", "timeout", "idle", "quiescent", "drain")
_DISPATCHED = {
    "size": "because they were full",
    "timeout": "because the oldest item had waited for the window",
    "idle": "because a worker was free",
    "quiescent": "because nothing runnable could still have joined them",
    "drain": "because of the shutdown",
}
_OWN = (
    Column("workload", "string", "", "what was done, see experiments/batching"),
    Column("call", "string", "", "how an item was called: await, map, threads, graph; item: without a batcher"),
    Column("items", "int64", "items", "items that were started"),
    Column("done", "int64", "items", "completed with the result that belongs to the item"),
    Column("wrong", "int64", "items", "completed with another result"),
    Column("failed", "int64", "items", "completed with an error"),
    Column("rejected", "int64", "items", "refused, because the queue was full"),
    Column("dedupe_hits", "int64", "items", "shared the call of an item with the same key"),
    Column("batches", "int64", "calls", "calls of the downstream"),
    Column("batch_size_avg", "double", "items", "mean size of a call"),
    Column("batch_size_max", "int64", "items", "largest call"),
    *(Column(f"by_{r}", "int64", "calls", f"batches that left {_DISPATCHED[r]}") for r in REASONS),
    Column("concurrency_max", "int64", "calls", "most calls of the downstream at one time, as it counted them"),
    Column("violations", "int64", "calls", "calls beyond the downstream's limit, as it counted them"),
    Column("cpu_cores", "double", "cores", "CPU of the measured process, user and system, over the duration"),
    Column("cpu_us", "double", "us", "the same per item"),
)
COLUMNS: Final = (
    *KEYS,
    *_OWN,
    *spread("latency", "latency: intended start to completion, without the downstream's time"),
    *spread("response", "response time: intended start to completion"),
    *JUDGEMENT,
)


def judge(recording: Recording, facts: CaseFacts, settings: dict[str, Any]) -> tuple[Findings, Bound]:
    """What speaks against a case of batching, and the bound of its rate."""
    bound = bound_of(recording, settings)
    found = Findings(failed=list(facts.failures), notes=list(facts.notes))
    if not recording and not found.failed:
        found.failed.append("nothing was recorded: the program ended without a figure")
    if recording:
        found.invalid = [*unaccounted(recording, facts), *impossible(recording, bound, "a rate")]
        found.limited = fell_short(recording, facts, "items")
        found.notes += _notes(recording)
    return found, bound


def bound_of(recording: Recording, settings: dict[str, Any]) -> Bound:
    """Items per second that cannot be exceeded, by what the downstream, the callers and the schedule allow."""
    service, calls = settings.get("service_s") or 0.0, settings.get("max_concurrent_batches") or 0
    by_itself = settings.get("call") == "item"
    size, limit = 1 if by_itself else settings.get("max_batch_size") or 1, settings.get("rate_limit") or 0.0
    known = [_of_callers(recording, settings)]
    if service > 0 and calls > 0 and not by_itself:
        per_call = f"{calls:,} calls at a time of {service * 1e3:g} ms with at most {size:,} items"
        known.append(Bound(bound_workers(calls, service) * size, per_call))
    if limit > 0:
        duration = number(recording.figures, "duration_s")
        burst = settings.get("burst") or 1
        allowed = (limit + burst / duration if duration > 0 else limit) * size
        known.append(Bound(allowed, f"a limit of {limit:,g} calls/s (burst {burst:,}) with at most {size:,} items"))
    ideal = number(recording.figures, "ideal_s")
    if ideal > 0:
        known.append(Bound(number(recording.figures, "items") / ideal, f"a longest path of {ideal * 1e3:g} ms"))
    return least(*known)


def _of_callers(recording: Recording, settings: dict[str, Any]) -> Bound:
    """Callers that each wait for their item. Only where every item was timed: a sample's mean would be a guess."""
    users, response = settings.get("callers") or 0, recording.histograms.get("response")
    scheduled = settings.get("workload") in ("open-loop", "steps")
    if users == 0 or scheduled or response is None or response.total != number(recording.figures, "items", 0):
        return Bound()
    mean_s = response.mean / 1e9
    waiting = f"{users:,} callers with a mean response time of {mean_s * 1e3:,.3f} ms"
    return Bound(bound_users(users, mean_s), waiting)


def unaccounted(recording: Recording, facts: CaseFacts) -> list[str]:
    """Items that were asked for and did not complete exactly once with their own result, and broken limits."""
    count = {name: int(number(recording.figures, name, 0)) for name in (c.name for c in _OWN if c.type == "int64")}
    reasons = []
    ended = sum(count[name] for name in ("done", "wrong", "failed", "rejected"))
    if ended != count["items"]:
        verb = "never completed" if ended < count["items"] else "completed more than once"
        reasons.append(f"{abs(count['items'] - ended):,} of {count['items']:,} items {verb}")
    if facts.expected is not None and facts.expected != count["items"]:
        reasons.append(f"{count['items']:,} items were started instead of {facts.expected:,}")
    if count["wrong"]:
        reasons.append(f"{count['wrong']:,} items completed with the result of another one")
    if count["failed"]:
        first = recording.figures.get("first_error")
        reasons.append(f"{count['failed']:,} items failed" + (f", the first with: {first}" if first else ""))
    if count["violations"]:
        reasons.append(f"the downstream counted {count['violations']:,} calls beyond its limit")
    return reasons


def _notes(recording: Recording) -> list[str]:
    notes = []
    rejected = int(number(recording.figures, "rejected", 0))
    if rejected:
        notes.append(f"{rejected:,} items were refused, because the queue was full")
    early = sum(h.below for h in recording.histograms.values())
    if early:
        notes.append(f"{early:,} durations were negative and are left out of the percentiles")
    return notes


def _analyse(path: Path, document: dict[str, Any], entry: dict[str, Any]) -> CaseResult:
    return analyse(path, entry, COLUMNS, judge)


FIGURES = Figures(
    columns=COLUMNS,
    metrics=("latency_p50", "latency_p99", "latency_p99.9", "rate", "batch_size_avg", "cpu_us", "violations"),
    durations=("latency", "response"),
    shown=(
        Shown("items", "items"),
        Shown("rate", "rate\n/s"),
        Shown("latency_p50", "latency\np50 ms", 3),
        Shown("latency_p99", "\np99 ms", 3),
        Shown("latency_p99.9", "\np99.9 ms", 3),
        Shown("batches", "calls"),
        Shown("batch_size_avg", "items\n/call", 1),
        Shown("cpu_cores", "CPU\ncores", 2),
        Shown("violations", "over\nlimit"),
    ),
    glance=("items", "rate", "latency_p50", "latency_p99", "batches", "batch_size_avg", "cpu_cores", "violations"),
    analyse=_analyse,
)
