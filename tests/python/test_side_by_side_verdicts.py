"""How the comparison judges pairs of slices."""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments" / "mq"))

from comparison.settings import Group

from headrace.experiment.side_by_side.bars import Bar, Verdict, interval, judge, verdict_line


def slices(*rates: float) -> list[Any]:
    return [type("Sample", (), {"rate": rate}) for rate in rates]


def verdict(ours: list[float], theirs: list[float], at_least: float = 0.95) -> Verdict:
    bar = Bar("rate", over="hiredis", at_least=at_least)
    found = judge(bar, {"headrace": slices(*ours), "hiredis": slices(*theirs)}, paired=True)
    assert found is not None
    return found


@pytest.mark.parametrize(("n", "k"), [(6, 1), (8, 1), (9, 2), (15, 4), (25, 8)])
def test_the_interval_is_the_sign_tests(n: int, k: int) -> None:
    numbers = list(range(1, n + 1))
    random.Random(n).shuffle(numbers)
    assert interval([float(x) for x in numbers]) == (k, n + 1 - k)


def test_too_few_slices_decide_nothing() -> None:
    assert interval([1.0] * 5) == (-math.inf, math.inf)
    assert not verdict([100.0] * 5, [1.0] * 5).reached


def test_the_interval_encloses_the_median_as_often_as_it_says() -> None:
    chance = random.Random(1)
    hits = 0
    for _ in range(1000):
        low, high = interval([chance.lognormvariate(0, 1) for _ in range(15)])
        hits += low <= 1 <= high
    assert 940 <= hits <= 990


def test_neighbours_are_compared_though_the_disk_changes_its_mood() -> None:
    mood = [1.0, 8.0, 2.0, 5.0, 1.0, 9.0, 3.0, 4.0, 7.0, 6.0]
    theirs = [100 * m for m in mood]
    found = verdict([0.97 * t for t in theirs], theirs)
    assert found.reached
    assert found.value == pytest.approx(0.97)
    assert statistics.median(theirs) != theirs[0]


def test_a_bar_inside_the_interval_is_undecided_and_outside_it_is_missed() -> None:
    ones = [1.0] * 10
    spread = [0.90, 0.91, 0.92, 0.94, 0.96, 0.97, 0.98, 0.99, 1.0, 1.1]
    undecided = verdict(spread, ones)
    assert (undecided.reached, undecided.undecided) == (False, True)
    assert "UNDECIDED" in verdict_line(undecided)
    assert "95 % interval" in verdict_line(undecided)
    missed = verdict([x - 0.1 for x in spread], ones)
    assert (missed.reached, missed.undecided) == (False, False)
    assert "MISSED" in verdict_line(missed)


def test_the_order_of_rounds_does_not_matter() -> None:
    pairs = [(1.0, 1.1), (2.0, 1.9), (3.0, 3.0), (4.0, 4.4), (5.0, 5.1), (6.0, 6.3)]
    results = {
        verdict([p[0] for p in chosen], [p[1] for p in chosen]).value
        for chosen in itertools.islice(itertools.permutations(pairs), 5)
    }
    assert len(results) == 1


def test_pairs_take_no_turns_in_slices() -> None:
    with pytest.raises(ValueError, match="only producers"):
        Group("g", "pair", 10, slices=3)
