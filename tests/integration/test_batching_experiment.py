"""Specs of the batching part, run for real."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from headrace import experiment, results

ROOT = Path(__file__).resolve().parents[2]


def run(tmp_path: Path, *cases: dict[str, Any]) -> results.Run:
    head = {"name": "test", "part": "batching"}
    spec = experiment.parse_spec({"experiment": head, "case": [{"name": str(n), **c} for n, c in enumerate(cases)]})
    return experiment.run(spec, out=tmp_path, progress=False)


def test_items_by_themselves_are_counted_and_timed(tmp_path):
    done = run(
        tmp_path,
        {"workload": "pool", "call": "item", "items": 2000},
        {"workload": "sqlite", "call": "item", "items": 2000},
        {"workload": "open-loop", "call": "item", "function": "async", "rate": 1000.0, "seconds": 0.5},
    )
    assert done.verdict == "valid", done.reasons
    assert list(done.summary["done"]) == [2000, 2000, 500]
    assert done.summary["latency_p99"].iloc[2] > 0
    left = {path.name for path in (done.path / "segments").rglob("*") if path.is_file()}
    assert left == {"figures.json", "response.hist", "latency.hist"}


def test_a_broken_limit_is_invalid(tmp_path):
    case = {"workload": "limited", "call": "item", "items": 500, "callers": 5, "rate_limit": 100.0}
    done = run(tmp_path, case)
    assert done.verdict == "invalid"
    assert any("calls beyond its limit" in reason for reason in done.reasons)
    assert any("is impossible: a limit of 100 calls/s" in reason for reason in done.reasons)


def test_a_load_in_steps_is_drawn(tmp_path):
    case = {"workload": "steps", "call": "item", "function": "async", "service_s": 0.005, "steps": "200:1, 1000:1"}
    done = run(tmp_path, case)
    assert done.verdict == "valid", done.reasons
    series = done.cases[0].series
    assert series["concurrency"].max() > 1
    assert series["sent"].max() > 2 * series["sent"].iloc[0]
    text = (done.path / "report.html").read_text()
    assert "Calls at one time" in text
    assert "Load" in text
    assert json.loads((done.path / "run.json").read_text())["spec"]["experiment"]["part"] == "batching"


@pytest.mark.broker
def test_the_quickstart_gathers_and_finds_every_record(tmp_path):
    done = experiment.run(ROOT / "experiments/batching/quickstart.toml", out=tmp_path, progress=False)
    assert done.verdict == "valid", done.reasons
    alone, gathered = (case.summary for case in done.cases)
    assert alone["done"] == gathered["done"] == 30_000
    assert gathered["batches"] < gathered["items"] / 4


def test_a_limit_is_kept_as_the_downstream_counts_it(tmp_path):
    case = {"workload": "limited", "items": 2000, "callers": 100, "rate_limit": 100.0, "max_batch_size": 50}
    done = run(tmp_path, case)
    assert done.verdict == "valid", done.reasons
    assert done.cases[0].summary["violations"] == 0


@pytest.mark.broker
@pytest.mark.parametrize("name", ["coalescing", "deps", "limited"])
def test_every_case_of_a_spec_runs(tmp_path, name):
    document = tomllib.loads((ROOT / f"experiments/batching/{name}.toml").read_text())
    document["experiment"]["repeat"] = 1
    for settings in (document.setdefault("defaults", {}), *document["case"]):
        if "items" in settings:
            settings["items"] = 2000
    done = experiment.run(experiment.parse_spec(document), out=tmp_path, progress=False)
    assert done.verdict == "valid", done.reasons
