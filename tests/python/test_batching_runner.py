"""A part without producers and consumers: one child per case, figures and histograms instead of messages."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headrace import experiment, results
from headrace.errors import InvalidArgument
from headrace.results.batching_figures import COLUMNS


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs cases of the batching part with fake workloads; returns the closed run."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))

    def go(*cases: dict[str, Any], **settings: Any) -> results.Run:
        tables = [{"items": 40, "timeout": 20.0, **case} for case in cases or [{}]]
        head = {"name": "test", "part": "batching", **settings}
        spec = experiment.parse_spec({"experiment": head, "case": tables})
        return experiment.run(spec, out=tmp_path / "out", progress=False, programs="fake_workloads")

    return go


def test_a_run_folder_has_every_file_and_the_parts_columns_first(run):
    done = run()
    assert (done.verdict, done.reasons) == ("valid", [])
    assert {p.name for p in done.path.iterdir()} == {
        *("run.json", "summary.json", "summary.csv", "samples.parquet", "series.parquet", "report.html", "segments"),
    }
    assert list(done.summary.columns) == [c.name for c in COLUMNS]
    assert list(pd.read_csv(done.path / "summary.csv").columns) == [c.name for c in COLUMNS]
    row = done.cases[0].summary
    assert (row["workload"], row["items"], row["done"], row["batch_size_avg"]) == ("pool", 40, 40, 4.0)
    assert row["latency_p50"] == pytest.approx(1.0, rel=1e-3)
    assert len(done.samples) == 0


def test_the_folder_loads_again_and_can_be_repeated(run):
    done = run({"items": 7, "max_batch_size": [1, 2]})
    again = results.load(done.path)
    assert again.verdict == "valid"
    assert list(again.summary["items"]) == [7, 7]
    spec = experiment.load_spec(done.path)
    assert (spec.part, [c.settings.max_batch_size for c in experiment.plan(spec)]) == ("batching", [1, 2])


def test_a_run_that_was_never_closed_is_made_from_what_was_recorded(run):
    done = run()
    document = json.loads((done.path / "run.json").read_text())
    document |= {"state": "running", "process": {}}
    (done.path / "run.json").write_text(json.dumps(document))
    (done.path / "summary.json").unlink()
    cut = results.load(done.path)
    assert (cut.state, cut.verdict) == ("cut", "failed")
    assert cut.summary["done"].iloc[0] == 40


@pytest.mark.parametrize(
    ("case", "verdict", "reason"),
    [
        ({"workload": "deps", "levels": 3, "branches": 3}, "invalid", "1 of 40 items never completed"),
        ({"workload": "limited"}, "invalid", "the downstream counted 3 calls beyond its limit"),
        ({"workload": "sqlite"}, "failed", "status 3: the floor gave way"),
        ({"workload": "open-loop", "rate": 100.0, "seconds": 1.0}, "generator-limited", "90.0 of 100.0 items/s"),
        ({"max_queue_size": 1}, "failed", "a queue of one is too short"),
        ({"workload": "steps", "steps": "10:1", "timeout": 0.3}, "failed", "timed out after 0.3 s"),
        ({"service_s": 0.1, "max_batch_size": 10}, "invalid", "impossible: 1 calls at a time of 100 ms"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else None,
)
def test_what_goes_wrong_is_the_verdict_with_its_reason(run, case, verdict, reason):
    done = run(case)
    assert done.verdict == verdict
    assert any(reason in text for text in done.reasons), done.reasons


def test_the_expected_verdict_is_the_success(run):
    done = run({"workload": "limited", "expect": "invalid"})
    assert (done.verdict, done.exit_code) == ("valid", 0)


def test_interrupting_ends_the_case_in_an_orderly_manner(run):
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    done = run({"workload": "steps"})
    assert time.monotonic() - began < 15
    assert (done.state, done.verdict) == ("interrupted", "failed")


def test_the_series_has_the_gauges_of_the_part(run):
    series = run({"workload": "steps", "steps": "10:1", "timeout": 1.6}).series
    assert series["acked"].max() > 0
    assert set(series["concurrency"].dropna()) == {2}
    assert series["generator_rss"].max() > 1_000_000


def test_report_has_tables_charts_and_the_reasons(run):
    done = run({"name": "good"}, {"name": "bad", "workload": "limited"})
    text = (done.path / "report.html").read_text()
    for word in ("Latency by percentile", "items per call", "over limit", "the downstream counted 3", "Distribution"):
        assert word in text
    assert "producers" not in text.split("<h2>Conditions</h2>")[0]


def test_repeats_of_two_runs_are_compared_with_an_interval(run):
    first, second = run(repeat=3), run(repeat=3)
    got = results.compare(first, second, fail_if=["p99>+10%", "violations>0"])
    assert got.exit_code == 0
    assert {"latency_p99", "rate", "violations"} <= {d.metric for d in got.differences}
    assert not any(d.differs for d in got.differences)


def test_runs_of_different_parts_are_not_compared(run, tmp_path):
    from results_helpers import make_run, steady

    other = make_run(tmp_path / "mq", {"x": lambda _: steady(9)})
    with pytest.raises(InvalidArgument, match="different parts"):
        results.compare(run(), other)


def test_nothing_is_left_running(run):
    run({"workload": "steps", "timeout": 0.3})
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children]
    assert not [c for c in commands if b"batching.worker" in c]
