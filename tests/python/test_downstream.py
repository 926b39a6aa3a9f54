"""The downstreams of the batching workloads count what they claim to count."""

from __future__ import annotations

from headrace.experiment.batching.downstream import Downstream, Strict


def violations(strict: Strict, *times_ms: float) -> int:
    before = strict.violations
    for at in times_ms:
        strict.arrived(int(at * 1e6))
    return strict.violations - before


def test_a_strict_downstream_allows_its_rate_and_nothing_more():
    assert violations(Strict(100.0, 1), 0, 10, 20, 30) == 0
    assert violations(Strict(100.0, 1), 0, 9.9) == 1
    assert violations(Strict(100.0, 1), 0, 5, 10) == 1  # the refused one costs nothing


def test_a_burst_is_allowed_once_and_earned_again_by_a_pause():
    strict = Strict(100.0, 3)
    assert violations(strict, 0, 0, 0) == 0
    assert violations(strict, 1) == 1
    assert violations(strict, 30, 30, 30) == 0
    assert violations(strict, 30) == 1


def test_calls_are_counted_and_answered_by_their_items():
    downstream = Downstream()
    assert downstream.call([3, 1]) == [3, 1]
    assert downstream.call(range(5)) == [0, 1, 2, 3, 4]
    assert (downstream.calls, downstream.items, downstream.largest) == (2, 7, 5)
    assert (downstream.running, downstream.most) == (0, 1)
    assert downstream.since_last() == {"batch_size": 3.5}
    assert downstream.since_last() == {}


def test_a_timed_downstream_tells_how_long_the_call_took():
    (first, second) = Downstream(0.001, timed=True).call([7, 8])
    assert [first[0], second[0]] == [7, 8]
    assert first[1] == second[1] >= 1_000_000


def test_without_a_rate_nothing_is_a_violation():
    assert violations(Strict(0.0, 1), 0, 0, 0) == 0
