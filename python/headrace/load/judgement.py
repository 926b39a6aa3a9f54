"""Can the figures be trusted, and whose limits do they show?

``failed``             nothing succeeded, or a rule of the caller is broken
``invalid``            open loop: the server could not keep up with the rate that was asked for
``generator-limited``  the figures show the limits of the generator: no core left, requests sent late or not at all
``valid``              everything else, failures of the server included: they are counted
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.results.verdict import OFFERED_SHARE, Verdict

if TYPE_CHECKING:
    from headrace.load.result import LoadResult

BUSY_SHARE = 0.9  #: of the time, in which a thread used a core or waited for one
LATE_MS, LATE_SHARE = 1.0, 0.1  #: p99 of the delay, and its mean as a share of the mean response time
LOST_SHARE = 0.05  #: of the users' time, which Little's law finds missing


def judge(result: LoadResult) -> Verdict:
    """The verdict on a finished load: the worst that holds."""
    failed = [text for rule in result.rules if (text := rule.broken_by(result))]
    if result.transactions == 0 and result.counts["late_ok"] == 0 and not result.interrupted:
        failed.insert(0, "no request succeeded")
    limited = _saturated(result)
    invalid: list[str] = []
    if result.rate_asked:
        limited += _sent_late(result)
        (invalid if result.counts["waited"] else limited).extend(_not_sent(result))
    else:
        limited += _time_lost(result)
    notes = tuple(_notes(result))
    reasons = (*failed, *invalid, *limited)
    if failed:
        return Verdict("failed", reasons, notes)
    if invalid:
        return Verdict("invalid", reasons, notes)
    return Verdict("generator-limited" if limited else "valid", reasons, notes)


def _saturated(result: LoadResult) -> list[str]:
    busiest = max(result.threads, key=lambda t: t.busy_share, default=None)
    if busiest is None or busiest.busy_share <= BUSY_SHARE or result.elapsed_s < 0.5:
        return []
    waiting = f" and waited for one {busiest.queued_share:.0%} of it" if busiest.queued_share > 0.05 else ""
    return [
        f"the generator is saturated: a thread used a core {busiest.cpu_share:.0%} of the time{waiting}; "
        "give it more threads or a machine of its own"
    ]


def _not_sent(result: LoadResult) -> list[str]:
    due = result.counts["begun"] + result.counts["unsent"]
    if result.counts["begun"] >= OFFERED_SHARE * due:
        return []
    why = "the generator did not come to them"
    if result.counts["waited"]:
        why = f"all {result.users} connections were busy: the server does not keep up with {result.rate_asked:g}/s"
    return [f"{result.counts['unsent']} of {due} requests were due and never sent: {why}"]


def _sent_late(result: LoadResult) -> list[str]:
    late = result.lateness
    mean_ms, p99_ms = late.mean / 1e6, late.percentile(99) / 1e6
    if p99_ms <= LATE_MS or late.mean <= LATE_SHARE * result.response.mean:
        return []
    return [f"the generator sent late by itself: {mean_ms:.3g} ms in the mean, p99 {p99_ms:.3g} ms"]


def _time_lost(result: LoadResult) -> list[str]:
    """Little's law: users who never pause are always in flight, whatever the server does."""
    pauses = result.think_s[1] > 0 or result.ramp_s > result.warm_up_s or result.failed > 0
    if pauses or result.count is not None or result.interrupted or result.elapsed_s < 1:
        return []
    lost = 1 - result.concurrency / result.users
    if lost <= LOST_SHARE:
        return []
    return [f"{lost:.0%} of the users' time was spent in the generator (Little's law), not in waiting for the server"]


def _notes(result: LoadResult) -> list[str]:
    notes = []
    counts = result.counts
    if counts["waited"] and result.rate_asked:
        notes.append(
            f"{counts['waited']} requests waited for a free connection (there are {result.users}); their time ran"
        )
    if counts["sources"]:
        notes.append(f"local ports ran out; connections came from up to {counts['sources']} addresses 127.0.0.x")
    if counts["retried"]:
        notes.append(f"{counts['retried']} requests were sent again because the server had closed the idle connection")
    if counts["address_failures"]:
        notes.append(f"{counts['address_failures']} attempts to connect went on to another address of the same name")
    shared = max((t.queued_share for t in result.threads), default=0.0)
    if shared > 0.1:
        notes.append(f"the generator waited for a core {shared:.0%} of the time: it shares the machine with others")
    return notes
