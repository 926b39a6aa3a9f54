"""When a row of the http part is believed: the seed's 591 requests/s are not."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.measure import Histogram
from headrace.results.http_figures import judge
from headrace.results.recording import Recording
from headrace.results.verdict import CaseFacts

SEED = {"users": 25, "at_once": 4, "task_sleep_s": 0.28, "duration_s": 59.95, "shortest_s": 0.28, "cores": 2}


def verdict(least_share: float = 0.0, **figures: Any) -> tuple[str, str, float]:
    recording = Recording(figures={**SEED, **figures}, histograms={"response": Histogram()})
    found, bound = judge(recording, CaseFacts(), {"users": 25, "least_share": least_share})
    said = found.verdict()
    return said.verdict, "; ".join(said.reasons), bound.rate


def test_the_seeds_thread_row_is_valid_and_near_its_bound():
    name, reasons, bound = verdict(rate=14.21, transactions=840, replied=865, finished=865, unfinished=0)
    assert (name, reasons) == ("valid", "")
    assert bound == pytest.approx(4 / 0.28)


def test_the_seeds_process_row_is_impossible():
    name, reasons, _ = verdict(rate=591.66, shortest_s=0.001, replied=35_470, finished=856, unfinished=34_614)
    assert name == "invalid"
    assert "34,614 of 35,470 replies came before their task had finished" in reasons
    assert "a rate of 591.7/s is impossible: 4 at a time of 0.28 s" in reasons
    assert "a reply came after 0.001 s, and its task sleeps 0.28 s" in reasons


def test_tasks_that_had_begun_before_a_short_run_may_end_in_it():
    assert verdict(rate=16.0, duration_s=1.0, transactions=16)[0] == "valid"
    assert verdict(rate=19.0, duration_s=1.0, transactions=19)[0] == "invalid"


def test_users_bound_what_awaits():
    name, reasons, bound = verdict(rate=88.2, at_once=0)
    assert (name, reasons) == ("valid", "")
    assert bound == pytest.approx(25 / 0.28)
    assert verdict(rate=95.0, at_once=0)[0] == "invalid"


@pytest.mark.parametrize(
    ("one_lock", "at_once", "most"), [(True, 4, 100.0), (False, 4, 200.0), (False, 1, 100.0), (False, 0, 200.0)]
)
def test_the_cpu_bounds_tasks_that_use_it(one_lock, at_once, most):
    settings = {"task_sleep_s": 0.0, "task_cpu_s": 0.01, "shortest_s": 0.01, "one_lock": one_lock, "at_once": at_once}
    assert verdict(rate=most * 0.9, **settings)[2] == pytest.approx(most)
    name, reasons, _ = verdict(rate=most * 1.5, **settings)
    assert name == "invalid"
    assert "of CPU" in reasons


def test_what_the_generator_could_not_do_is_said():
    assert verdict(rate=10.0, limits=["the generator is saturated"])[0] == "generator-limited"
    assert verdict(rate=0.0, errors=["no request succeeded"])[0] == "failed"


def test_a_share_of_the_bound_can_be_demanded():
    assert verdict(rate=14.1, least_share=0.98)[0] == "valid"
    name, reasons, _ = verdict(rate=13.9, least_share=0.98)
    assert name == "failed"
    assert "13.90/s is 97.3% of 14.29/s (4 at a time of 0.28 s); at least 98% was demanded" in reasons
