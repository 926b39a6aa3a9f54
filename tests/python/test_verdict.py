from __future__ import annotations

import math

import pytest

from headrace.errors import InvalidArgument
from headrace.results import (
    CaseFacts,
    Counts,
    Rates,
    Verdict,
    apply_expect,
    bound_users,
    bound_window,
    bound_workers,
    judge,
    worst,
)

GOOD = Counts(sent=100, acked=100, received=100)


def verdict(counts: Counts = GOOD, rates: Rates | None = None, **facts: object) -> Verdict:
    return judge(counts, rates or Rates(), CaseFacts(**facts))  # type: ignore[arg-type]


def test_all_accounted_for_is_valid() -> None:
    assert verdict() == Verdict("valid")
    assert verdict().exit_code == 0


@pytest.mark.parametrize(
    ("counts", "word"),
    [
        (Counts(sent=100, acked=100, received=99, lost=1), "lost"),
        (Counts(sent=100, acked=100, received=101, orphaned=1), "orphaned"),
        (Counts(sent=100, acked=100, received=100, shared=2), "shared"),
        (Counts(sent=100, acked=100, received=100, negative_latency=1), "received before being sent"),
        (Counts(sent=100, acked=100, received=100, negative_send_time=1), "acknowledged before being sent"),
    ],
)
def test_what_is_unaccounted_for_is_invalid(counts: Counts, word: str) -> None:
    got = verdict(counts)
    assert got.verdict == "invalid"
    assert got.exit_code == 3
    assert word in got.reasons[0]


def test_duplicates_retries_and_unreadable_rows_are_notes() -> None:
    counts = Counts(100, 99, 1, 100, duplicated=3, redelivered=2, reordered=4, unreadable=5, torn=1, retries=6)
    got = verdict(counts)
    assert got.verdict == "valid"
    assert len(got.notes) == 7
    assert got.notes[0] == "3 duplicate deliveries (allowed: at least once)"


def test_negative_latency_between_machines_is_a_note() -> None:
    got = verdict(Counts(100, 100, 0, 100, negative_latency=1), one_clock=False)
    assert got.verdict == "valid"
    assert "clocks" in got.notes[0]


def test_messages_that_were_asked_for_and_never_acked_are_unaccounted() -> None:
    assert verdict(expected=120).reasons == ("20 of 120 messages were not acknowledged",)
    assert verdict(expected=100).ok


def test_producers_and_ledger_must_count_the_same() -> None:
    got = verdict(reported_acked=101)
    assert got.verdict == "invalid"
    assert "101" in got.reasons[0]


def test_crash_wins_over_loss_and_keeps_both_reasons() -> None:
    got = verdict(Counts(100, 100, 0, 60, lost=40), failures=("producer 2 was killed by signal 9",))
    assert got.verdict == "failed"
    assert got.exit_code == 1
    assert got.reasons == (
        "producer 2 was killed by signal 9",
        "40 acknowledged messages never received (lost)",
    )


def test_nothing_recorded_and_nothing_joined_have_failed() -> None:
    assert "nothing was recorded" in verdict(Counts()).reasons[0]
    assert "nothing could be joined" in verdict(Counts(5, 5, 0, 5, lost=5, orphaned=5)).reasons[0]


def test_bounds() -> None:
    assert bound_workers(4, 0.28) == pytest.approx(14.2857, rel=1e-4)
    assert bound_users(10, 0.5) == 20
    assert bound_window(64, 0.001) == 64_000
    assert bound_window(1, 0.0) == math.inf


@pytest.mark.parametrize("bound", [bound_workers, bound_users, bound_window])
def test_bounds_refuse_nonsense(bound: object) -> None:
    with pytest.raises(InvalidArgument, match="at least 1"):
        bound(0, 1.0)  # type: ignore[operator]
    with pytest.raises(InvalidArgument, match="negative"):
        bound(1, -1.0)  # type: ignore[operator]


def test_rate_above_littles_law_is_impossible() -> None:
    at_bound = Rates(acked=1000 * 1.019, mean_send_s=0.001)
    above = Rates(acked=1000 * 1.021, mean_send_s=0.001)
    assert verdict(rates=at_bound, window=1).ok
    got = verdict(rates=above, window=1)
    assert got.verdict == "invalid"
    assert "impossible" in got.reasons[0]
    assert "1,000.0/s" in got.reasons[0]


def open_loop(offered: float, full: float | None, scheduled: float = 1000.0, messages: int = 100_000) -> Verdict:
    rates = Rates(messages=messages, scheduled=scheduled, offered=offered)
    return verdict(rates=rates, asked_rate=1000.0, window_full=full)


def test_open_loop_that_keeps_its_rate_is_valid() -> None:
    assert open_loop(995.1, 0.9).ok


def test_generator_that_falls_behind_with_room_in_its_window_is_the_limit() -> None:
    got = open_loop(900.0, 0.1)
    assert got.verdict == "generator-limited"
    assert got.exit_code == 3
    assert "900.0 of 1,000.0" in got.reasons[0]
    assert open_loop(900.0, None).verdict == "generator-limited"


def test_broker_that_fills_the_window_cannot_sustain_the_rate() -> None:
    got = open_loop(900.0, 0.8)
    assert got.verdict == "invalid"
    assert "cannot sustain" in got.reasons[0]
    assert "80%" in got.reasons[0]


def test_random_arrivals_may_be_slower_than_their_mean_by_chance_only() -> None:
    assert open_loop(970.0, 0.0, scheduled=971.0, messages=10_000).ok
    assert open_loop(900.0, 0.0, scheduled=901.0, messages=10_000).verdict == "generator-limited"


def test_expect() -> None:
    invalid = Verdict("invalid", ("2 ids lost",))
    assert apply_expect(invalid, None) is invalid
    met = apply_expect(invalid, "invalid")
    assert met.verdict == "valid"
    assert met.notes == ("invalid, as expected: 2 ids lost",)
    missed = apply_expect(Verdict("valid"), "invalid")
    assert missed.verdict == "failed"
    assert "expected invalid" in missed.reasons[0]
    assert apply_expect(invalid, "valid") is invalid
    with pytest.raises(InvalidArgument, match="maybe"):
        apply_expect(invalid, "maybe")


def test_worst_case_decides_and_names_itself() -> None:
    got = worst([("a", Verdict("valid")), ("b", Verdict("invalid", ("x",))), ("c", Verdict("failed", ("y",)))])
    assert got.verdict == "failed"
    assert got.reasons == ("c: y", "b: x")
    assert worst([("only", Verdict("invalid", ("x",)))]).reasons == ("x",)
    assert worst([]).verdict == "failed"


def test_order_of_verdicts_is_valid_limited_invalid_failed() -> None:
    pair = [("a", Verdict("generator-limited", ("slow",))), ("b", Verdict("valid"))]
    assert worst(pair).verdict == "generator-limited"


def test_facts_survive_json_with_unknown_keys() -> None:
    facts = CaseFacts.from_json({"window": 5, "failures": ["x"], "colour": "red"})
    assert facts.window == 5
    assert facts.failures == ("x",)
    assert facts.extra == {"colour": "red"}
