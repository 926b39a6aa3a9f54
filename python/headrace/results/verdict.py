"""What a measurement may be called: pure functions from counts and facts to a verdict with its reasons.

=====================  ==========================================================================  ====
verdict                when                                                                        exit
=====================  ==========================================================================  ====
``valid``              every acknowledged id is accounted for and every figure is below its bound  0
``generator-limited``  open loop: the generator did not offer the rate that was asked for          3
``invalid``            ids lost, orphaned, shared or unaccounted for; a rate above its bound; the  3
                       broker could not sustain the asked rate
``failed``             crashed, interrupted, timed out, or nothing could be joined                 1
=====================  ==========================================================================  ====

Rates are per second, durations are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

from headrace.errors import InvalidArgument

Name = Literal["valid", "generator-limited", "invalid", "failed"]

#: From best to worst; the verdict of a run is the worst of its cases.
ORDER: Final[tuple[Name, ...]] = ("valid", "generator-limited", "invalid", "failed")
EXIT_CODES: Final[dict[str, int]] = {"valid": 0, "generator-limited": 3, "invalid": 3, "failed": 1}

#: A rate may exceed its bound by this factor before it is called impossible (rounding of clocks and edges).
BOUND_TOLERANCE: Final = 1.02
#: Open loop: less than this share of the asked rate is not the asked rate.
OFFERED_SHARE: Final = 0.995
#: Above this share of the time with a full window it was the broker that held the generator back.
WINDOW_FULL_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict, the reasons for it, and notes that do not change it. All are sentences for people."""

    verdict: Name
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 valid, 1 failed, 3 invalid or generator-limited."""
        return EXIT_CODES[self.verdict]

    @property
    def ok(self) -> bool:
        return self.verdict == "valid"

    def __str__(self) -> str:
        return f"{self.verdict}: {'; '.join(self.reasons)}" if self.reasons else self.verdict


@dataclass(frozen=True, slots=True)
class Counts:
    """What the ledger counted for one case. Numbers of ids unless said otherwise."""

    sent: int = 0
    acked: int = 0
    unacked: int = 0  #: sent, acknowledgement never seen: neither delivered for sure nor lost
    received: int = 0  #: ids received at least once
    duplicated: int = 0  #: receipts beyond the first of an id (allowed: at least once)
    redelivered: int = 0  #: receipts that the broker flagged as delivered before
    lost: int = 0  #: acknowledged, never received
    orphaned: int = 0  #: received, never sent
    shared: int = 0  #: ids sent by two producers
    reordered: int = 0  #: first receipts that overtook an earlier message of the same producer thread
    negative_latency: int = 0  #: received before being sent
    negative_send_time: int = 0  #: acknowledged before being sent
    unreadable: int = 0  #: rows that could not be read
    torn: int = 0  #: last rows that were cut short
    retries: int = 0  #: sends beyond the first of an id

    @classmethod
    def of(cls, source: Any) -> Counts:
        """From a mapping, or an object with attributes of the same names. What is missing counts 0."""
        mapping = source if isinstance(source, Mapping) else {n: getattr(source, n, 0) for n in _NAMES}
        return cls(**{name: int(mapping.get(name) or 0) for name in _NAMES})


_NAMES = tuple(f.name for f in fields(Counts))


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the runner knows about one case and the rows cannot tell."""

    window: int | None = None  #: unacknowledged messages allowed, all producers together; None: no limit known
    asked_rate: float | None = None  #: open loop: messages per second asked for, all producers; None: closed loop
    window_full: float | None = None  #: share of the time (0..1) in which the window held a send back
    expected: int | None = None  #: messages that were to be sent and acknowledged
    reported_acked: int | None = None  #: acknowledgements the producers counted themselves
    warmup_s: float = 0.0  #: the first seconds, left out of every figure but the counts
    one_clock: bool = True  #: all stamps come from one clock, so that no latency can be negative
    failures: tuple[str, ...] = ()  #: crash, interruption, timeout: one sentence each
    notes: tuple[str, ...] = ()  #: sentences that do not change the verdict
    extra: Mapping[str, Any] = field(default_factory=dict)  #: kept in run.json, not judged

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CaseFacts:
        known = {f.name for f in fields(cls)}
        values = {k: v for k, v in data.items() if k in known}
        for name in ("failures", "notes"):
            values[name] = tuple(values.get(name, ()))
        values["extra"] = dict(values.get("extra", {})) | {k: v for k, v in data.items() if k not in known}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Rates:
    """Measured rates of one case, per second, and the mean send time. NaN where nothing was measured."""

    messages: int = 0  #: ids sent
    scheduled: float = math.nan  #: ids over the time from the first to the last intended send, summed over threads
    offered: float = math.nan  #: the same, with the lateness at the end added to the time
    acked: float = math.nan  #: acknowledged ids over the time from the first send to the last acknowledgement
    received: float = math.nan  #: ids received over the time from the first to the last first receipt
    mean_send_s: float = math.nan  #: sent to acknowledged


def bound_workers(workers: int, task_s: float) -> float:
    """Tasks per second that ``workers`` can finish when each takes ``task_s`` seconds and does one at a
    time."""
    return _bound("workers", workers, "task_s", task_s)


def bound_users(users: int, response_s: float) -> float:
    """Requests per second of ``users`` who each wait ``response_s`` seconds (mean) before asking again."""
    return _bound("users", users, "response_s", response_s)


def bound_window(window: int, send_s: float) -> float:
    """Acknowledgements per second with ``window`` unacknowledged messages of mean send time ``send_s``
    seconds.

    Little's law: the mean number in flight is rate x mean time, and it cannot exceed the window.
    """
    return _bound("window", window, "send_s", send_s)


def _bound(count_name: str, count: int, time_name: str, time_s: float) -> float:
    if count < 1:
        raise InvalidArgument(f"{count_name} must be at least 1, not {count}")
    if not time_s >= 0:
        raise InvalidArgument(f"{time_name} must not be negative, not {time_s}")
    return count / time_s if time_s > 0 else math.inf


def above_bound(what: str, rate: float, bound: float, why: str) -> str | None:
    """The reason when ``rate`` exceeds ``bound`` (both per second) by more than the tolerance, else None."""
    if math.isnan(rate) or math.isnan(bound) or rate <= bound * BOUND_TOLERANCE:
        return None
    return f"{what} of {rate:,.1f}/s is impossible: {why} allows at most {bound:,.1f}/s"


def judge(counts: Counts, rates: Rates, facts: CaseFacts) -> Verdict:
    """The verdict of one case. ``failed`` wins over ``invalid``, which wins over ``generator-limited``."""
    invalid = [*_unaccounted(counts, facts), *_impossible(rates, facts)]
    failed = [*facts.failures]
    if not failed and counts.sent + counts.received == 0:
        failed.append("nothing was recorded: no message was sent or received")
    elif not failed and counts.received > 0 and counts.orphaned >= counts.received:
        failed.append("nothing could be joined: no id that was received had been sent")
    limited, unsustained = _open_loop(rates, facts)
    notes = (*facts.notes, *_notes(counts, facts))
    if failed:
        return Verdict("failed", (*failed, *invalid), notes)
    if invalid or unsustained:
        return Verdict("invalid", (*invalid, *unsustained), notes)
    if limited:
        return Verdict("generator-limited", tuple(limited), notes)
    return Verdict("valid", (), notes)


def _unaccounted(counts: Counts, facts: CaseFacts) -> list[str]:
    reasons = []
    if counts.lost:
        reasons.append(f"{_n(counts.lost, 'acknowledged message')} never received (lost)")
    if counts.orphaned:
        reasons.append(f"{_n(counts.orphaned, 'id')} received but never sent (orphaned)")
    if counts.shared:
        reasons.append(f"{_n(counts.shared, 'id')} sent by more than one producer (shared)")
    if facts.one_clock and counts.negative_latency:
        reasons.append(
            f"{_n(counts.negative_latency, 'message')} received before being sent, by one and the same clock"
        )
    if facts.one_clock and counts.negative_send_time:
        text = "acknowledged before being sent, by one and the same clock"
        reasons.append(f"{_n(counts.negative_send_time, 'message')} {text}")
    if facts.reported_acked is not None and facts.reported_acked != counts.acked:
        reasons.append(f"the producers counted {facts.reported_acked:,} acknowledgements, the ledger {counts.acked:,}")
    missing = 0 if facts.expected is None else facts.expected - counts.acked
    if missing > 0:
        reasons.append(f"{missing:,} of {facts.expected:,} messages were not acknowledged")
    return reasons


def _impossible(rates: Rates, facts: CaseFacts) -> list[str]:
    if facts.window is None or math.isnan(rates.mean_send_s):
        return []
    why = f"a window of {facts.window:,} with a mean send time of {rates.mean_send_s * 1e3:,.3f} ms"
    reason = above_bound("an acknowledged rate", rates.acked, bound_window(facts.window, rates.mean_send_s), why)
    return [reason] if reason else []


def _open_loop(rates: Rates, facts: CaseFacts) -> tuple[list[str], list[str]]:
    """(reasons for generator-limited, reasons for invalid) when an open loop fell short of its rate."""
    asked = facts.asked_rate
    if asked is None or math.isnan(rates.offered):
        return [], []
    chance = 4 / math.sqrt(max(rates.messages, 1))  # of random (Poisson) arrivals to be slower than their mean
    due = min(asked, rates.scheduled) if rates.scheduled >= asked * (1 - chance) else asked
    if rates.offered >= OFFERED_SHARE * due:
        return [], []
    share = f"{rates.offered:,.1f} of {asked:,.1f} messages/s were offered ({rates.offered / asked:.1%})"
    full = facts.window_full
    if full is not None and full > WINDOW_FULL_SHARE:
        return [], [f"the broker cannot sustain the asked rate: {share}; the window was full {full:.0%} of the time"]
    rest = "" if full is None else f" while the window was full only {full:.0%} of the time"
    return [f"the generator did not keep up: {share}{rest}"], []


def _notes(counts: Counts, facts: CaseFacts) -> list[str]:
    notes = []
    if counts.duplicated:
        notes.append(f"{_n(counts.duplicated, 'duplicate delivery', 'duplicate deliveries')} (allowed: at least once)")
    if counts.redelivered:
        notes.append(f"{_n(counts.redelivered, 'receipt')} flagged as redelivered by the broker")
    if counts.retries:
        notes.append(f"{_n(counts.retries, 'send')} repeated after a failure")
    if counts.unacked:
        notes.append(f"{_n(counts.unacked, 'message')} sent without an acknowledgement")
    if counts.reordered:
        notes.append(f"{_n(counts.reordered, 'message')} received out of order")
    if counts.unreadable:
        notes.append(f"{_n(counts.unreadable, 'row')} could not be read")
    if counts.torn:
        notes.append(f"{_n(counts.torn, 'last row')} cut short")
    negative = counts.negative_latency + counts.negative_send_time
    if negative and not facts.one_clock:
        notes.append(f"{_n(negative, 'latency', 'latencies')} negative: the clocks of the machines differ")
    return notes


def _n(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def apply_expect(verdict: Verdict, expect: str | None) -> Verdict:
    """The verdict after ``expect`` of the case: the expected one counts as valid, any other as failed.

    Raises InvalidArgument for an ``expect`` that is no verdict.
    """
    if expect is None:
        return verdict
    if expect not in ORDER:
        raise InvalidArgument(f"expect = {expect!r} is no verdict; known: {', '.join(ORDER)}")
    if verdict.verdict == expect:
        if expect == "valid":
            return verdict
        return Verdict("valid", (), (f"{expect}, as expected: {'; '.join(verdict.reasons)}", *verdict.notes))
    if expect == "valid":
        return verdict
    reason = f"expected {expect}, but the case was {verdict.verdict}"
    return Verdict("failed", (reason, *verdict.reasons), verdict.notes)


def worst(cases: Iterable[tuple[str, Verdict]]) -> Verdict:
    """The verdict of a run from (case, verdict after expect): the worst, with every reason named by its
    case."""
    rows = list(cases)
    if not rows:
        return Verdict("failed", ("the run has no case",))
    name = max((v.verdict for _, v in rows), key=ORDER.index)
    many = len(rows) > 1

    def named(case: str, texts: Iterable[str]) -> list[str]:
        return [f"{case}: {text}" if many else text for text in texts]

    ranked = sorted(rows, key=lambda row: -ORDER.index(row[1].verdict))
    reasons = [text for case, v in ranked for text in named(case, v.reasons)]
    notes = [text for case, v in rows for text in named(case, v.notes)]
    return Verdict(name, tuple(reasons), tuple(notes))
