from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from results_helpers import MS, Message, make_run, steady

from headrace.errors import InvalidArgument
from headrace.results import compare, load, statistics
from headrace.results.rules import Rule, metric_name


def noisy(seed: int, *, count: int = 1000, scale: float = 1.0) -> list[Message]:
    rng = np.random.default_rng(seed)
    took = (rng.lognormal(0.0, 0.5, count) * scale * MS).astype(int)
    return [Message(f"m{i}", i * MS, i * MS + int(t), (i * MS + int(t) + MS // 10,)) for i, t in enumerate(took)]


def test_run_compared_with_itself_does_not_differ(tmp_path: Path) -> None:
    path = make_run(tmp_path, {"1-1": noisy})
    got = compare(path, path, fail_if=["p99>+10%"])
    assert got.exit_code == 0
    assert not any(d.differs for d in got.differences)
    assert all(d.relative == 0 for d in got.differences)
    assert [r.outcome for r in got.rules] == ["kept"]


def test_slower_run_differs_and_breaks_the_rule(tmp_path: Path) -> None:
    base = make_run(tmp_path / "a", {"1-1": noisy})
    slow = make_run(tmp_path / "b", {"1-1": lambda r: noisy(r + 50, scale=1.5)})
    got = compare(base, slow, fail_if=["p50>+10%", "p50>+200%", "lost>0", "acked_rate<-50%"])
    (row,) = [d for d in got.differences if d.metric == "processing_latency_p50"]
    assert row.differs
    assert row.low < 0.45 < row.high
    assert [r.outcome for r in got.rules] == ["broken", "kept", "kept", "kept"]
    assert got.exit_code == 1
    assert "BROKEN 1-1: p50>+10%" in got.table()


def test_noise_beyond_the_limit_is_unsure_not_broken(tmp_path: Path) -> None:
    base = make_run(tmp_path / "a", {"1-1": lambda _: noisy(1, count=60)})
    other = make_run(tmp_path / "b", {"1-1": lambda _: noisy(7, count=60)})
    got = compare(base, other, metrics=["p50"], fail_if=["p99>+0.01%", "p99<-0.01%"])
    assert {r.outcome for r in got.rules} == {"kept", "unsure"}
    assert got.exit_code == 0


def test_repeats_give_medians_and_an_interval_between_runs(tmp_path: Path) -> None:
    base = make_run(tmp_path / "a", {"1-1": lambda r: steady(50, processing_ms=0.5 + r)}, repeats=5)
    same = make_run(tmp_path / "b", {"1-1": lambda r: steady(50, processing_ms=0.6 + r)}, repeats=5)
    got = compare(base, same, metrics=["p50"])
    (row,) = got.differences
    assert (row.base, row.other, row.repeats) == (pytest.approx(3.5), pytest.approx(3.6), 5)
    assert not row.differs  # repeats vary by far more than the runs differ
    assert not any("one repeat" in note for note in got.notes)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(60):
        values = (rng.lognormal(0, 0.5, 2000) * 1e6).astype(np.int64)
        low, high = statistics.interval(statistics.quantiles(values, [0.5], rng)[:, 0], 0.95)
        inside += low <= 1e6 <= high
    assert 51 <= inside <= 60


def test_correlated_latencies_widen_the_interval() -> None:
    rng = np.random.default_rng(4)
    slow_waves = np.repeat(rng.lognormal(0, 0.5, 40), 250)
    values = (slow_waves * 1e6).astype(np.int64)
    shuffled = rng.permutation(values)

    def width(v: np.ndarray) -> float:
        low, high = statistics.interval(statistics.quantiles(v, [0.5], np.random.default_rng(1))[:, 0], 0.95)
        return high - low

    assert width(values) > 3 * width(shuffled)


def test_quantiles_of_many_values_stay_within_a_thousandth() -> None:
    rng = np.random.default_rng(5)
    values = (rng.lognormal(0, 1, 200_000) * 1e6).astype(np.int64)
    got = statistics.quantiles(values, [0.5, 0.99], rng)
    assert np.median(got[:, 0]) == pytest.approx(np.quantile(values, 0.5), rel=0.01)
    assert np.median(got[:, 1]) == pytest.approx(np.quantile(values, 0.99), rel=0.02)


def test_nothing_measured_gives_no_interval() -> None:
    rng = np.random.default_rng(0)
    empty = np.zeros(0, np.int64)
    assert np.isnan(statistics.quantiles(empty, [0.5], rng)).all()
    assert np.isnan(statistics.event_rates(empty, rng)).all()
    assert all(map(math.isnan, statistics.interval(statistics.means(empty, rng), 0.95)))


def test_same_seed_gives_the_same_interval(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", {"1-1": noisy})
    b = make_run(tmp_path / "b", {"1-1": lambda r: noisy(r + 9)})
    assert compare(a, b).differences == compare(a, b).differences


def test_two_cases_of_one_run_can_be_compared(tmp_path: Path) -> None:
    run = load(make_run(tmp_path, {"1-1": noisy, "5-1": lambda r: noisy(r, scale=3)}))
    got = compare(run.case("1-1"), run.case("5-1"), metrics=["p50"])
    assert got.differences[0].case == "1-1 / 5-1"
    assert got.differences[0].relative > 1
    frame = got.to_frame()
    assert list(frame["metric"]) == ["processing_latency_p50"]
    assert frame["differs"].all()


def test_three_runs_are_compared_with_the_first(tmp_path: Path) -> None:
    paths = [make_run(tmp_path / n, {"1-1": lambda _: steady(20)}) for n in "abc"]
    got = compare(*paths, metrics=["p50"])
    assert len(got.differences) == 2
    assert got.others == (paths[1].name, paths[2].name)
    assert " run " in got.table()


def test_cases_without_a_partner_are_named(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", {"x": lambda _: steady(9), "y": lambda _: steady(9)})
    b = make_run(tmp_path / "b", {"x": lambda _: steady(9), "z": lambda _: steady(9)})
    got = compare(a, b)
    assert [n for n in got.notes if n.startswith("only in")] == [
        f"only in {a.name}: y",
        f"only in {b.name}: z",
    ]
    c = make_run(tmp_path / "c", {"v": lambda _: steady(9), "w": lambda _: steady(9)})
    with pytest.raises(InvalidArgument, match="no case in common"):
        compare(a, c)


def test_invalid_run_spoils_the_exit_code(tmp_path: Path) -> None:
    good = make_run(tmp_path / "a", {"x": lambda _: steady(9)})
    bad = make_run(tmp_path / "b", {"x": lambda _: [*steady(9), Message("l", 0, 5)]})
    got = compare(good, bad)
    assert got.exit_code == 3
    assert any("invalid" in note for note in got.notes)


@pytest.mark.parametrize(
    ("text", "base", "other", "interval", "outcome"),
    [
        ("p99>+10%", 100, 111, (0.05, 0.2), "broken"),
        ("p99>+10%", 100, 109, (0.05, 0.2), "kept"),
        ("p99>10%", 100, 111, (0.05, 0.2), "broken"),
        ("p99>+10%", 100, 111, (-0.05, 0.2), "unsure"),
        ("p99>+10%", 100, 111, (math.nan, math.nan), "broken"),
        ("acked_rate<-5%", 100, 94, (-0.1, -0.01), "broken"),
        ("p99 > +2", 1, 4, (1.0, 2.0), "broken"),
        ("p99>3.5", 1, 4, (-1.0, 2.0), "broken"),
        ("lost>0", 0, 0, (math.nan, math.nan), "kept"),
        ("lost>+0%", 0, 1, (math.nan, math.nan), "broken"),
        ("p99>+10%", math.nan, 5, (math.nan, math.nan), "unsure"),
    ],
)
def test_rule_outcomes(text: str, base: float, other: float, interval: tuple[float, float], outcome: str) -> None:
    assert Rule.parse(text).outcome(base, other, *interval) == outcome


@pytest.mark.parametrize("text", ["", "p99", "p99>", ">5", "p99>>5", "p99>five", "p99>+10%%", "p99=5"])
def test_unreadable_rules_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidArgument, match="for example"):
        Rule.parse(text)


def test_metric_names() -> None:
    assert metric_name("p99.9") == "processing_latency_p99.9"
    assert metric_name("send_p50") == "send_time_p50"
    assert metric_name("acked_rate") == "acked_rate"
    assert metric_name("max") == "processing_latency_max"
    with pytest.raises(InvalidArgument, match="unknown metric 'speed'"):
        metric_name("speed")


def test_comparison_needs_two_runs_and_a_sane_confidence(tmp_path: Path) -> None:
    path = make_run(tmp_path, {"x": lambda _: steady(3)})
    with pytest.raises(InvalidArgument, match="at least two"):
        compare(path)
    with pytest.raises(InvalidArgument, match="between 0 and 1"):
        compare(path, path, confidence=95)
