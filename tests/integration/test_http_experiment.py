"""Specs of the http part, run for real."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import pytest

from headrace import experiment, results

ROOT = Path(__file__).resolve().parents[2]
BOUNDS = {"sync": 1 / 0.28, "inline": 1 / 0.28, "thread": 4 / 0.28, "process": 4 / 0.28}
PROGRAMS_OF_PEERS = {"uvicorn": "uvicorn_server", "granian": "granian_server", "socketify": "socketify_tasks"}
PEERS = ROOT / "experiments/http_executors/peers"


def run(tmp_path: Path, *cases: dict[str, Any], **shared: Any) -> results.Run:
    head = {"name": "test", "part": "http"}
    defaults = {"seconds": 1.0, "warm_up_s": 0.5, "timeout": 60.0, **shared}
    spec = experiment.parse_spec(
        {"experiment": head, "defaults": defaults, "case": [{"name": str(n), **c} for n, c in enumerate(cases)]}
    )
    return experiment.run(spec, out=tmp_path, progress=False)


def test_replies_of_tasks_that_have_finished_are_valid_and_all_is_counted(tmp_path):
    done = run(
        tmp_path,
        {"executor": "thread", "task": "fetch"},
        {"executor": "process", "task": "cpu"},
        {"executor": "asyncio", "task": "tls-fetch"},
        server=str(PEERS / "tornado_server.py"),
        users=8,
    )
    assert done.verdict == "valid", done.reasons
    for case in done.cases:
        row = case.summary
        assert row["finished"] >= row["replied"] >= row["transactions"] > 0, row
        assert (row["availability"], row["unfinished"], row["failed"]) == (100.0, 0, 0)
        assert 0 < row["rate"] < row["bound"] * 1.1
        assert row["pss_mb"] > 5
        assert row["server_cpu"] > 0
        assert row["response_p50"] == pytest.approx(row["response_s"] * 1e3, rel=0.8)
    left = {path.name for path in (done.path / "segments").rglob("*") if path.is_file()}
    assert left == {"figures.json", "response.hist"}, "what the servers wrote is gone"
    assert "As siege has it" in (done.path / "report.html").read_text()


def test_replies_before_their_tasks_are_invalid_as_expected(tmp_path):
    cases = {"executor": "process", "awaited": False, "expect": "invalid"}
    done = run(tmp_path, cases, server=str(PEERS / "tornado_server.py"))
    assert done.verdict == "valid", done.reasons
    row = done.cases[0].summary
    assert row["verdict"] == "invalid"
    assert row["unfinished"] > row["finished"]
    assert "the tasks were not awaited" in row["reasons"]


@pytest.mark.parametrize("peer", PROGRAMS_OF_PEERS)
def test_each_peer_serves_and_counts(tmp_path, peer):
    if importlib.util.find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed; script/bootstrap --all installs it")
    cases = [{"executor": "asyncio", "task": "split"}, {"executor": "thread"}]
    done = run(tmp_path, *cases, server=str(PEERS / f"{PROGRAMS_OF_PEERS[peer]}.py"), users=8)
    assert done.verdict == "valid", done.reasons
    awaiting, threads = (case.summary for case in done.cases)
    assert awaiting["rate"] > threads["rate"] > 0
    assert threads["finished"] >= threads["replied"] > 0


def test_our_executors_reach_their_bounds_and_finish_what_they_reply(tmp_path):
    cases = [{"executor": executor, "users": 6} for executor in BOUNDS]
    done = run(tmp_path, *cases, seconds=1.68, warm_up_s=0.28)
    assert done.verdict == "valid", done.reasons
    for case, bound in zip(done.cases, BOUNDS.values(), strict=True):
        row = case.summary
        assert row["bound"] == pytest.approx(bound)
        assert row["rate"] > 0.5 * bound
        assert row["finished"] == row["replied"]


def test_tasks_run_on_a_loop_and_in_threads(tmp_path):
    document = tomllib.loads((ROOT / "experiments/http_executors/tasks.toml").read_text())
    waits, computes = document["case"]
    waits |= {"executor": "asyncio", "task": ["fetch", "tls-fetch", "file"]}
    computes |= {"executor": "thread", "task": ["checksum", "cpu-nogil"]}
    document["defaults"] |= {"users": 4, "seconds": 0.3, "warm_up_s": 0.1}
    done = experiment.run(experiment.parse_spec(document), out=tmp_path, progress=False)
    for case in done.cases:
        row = case.summary
        assert row["verdict"] in ("valid", "generator-limited"), (case.name, case.reasons)
        assert (row["availability"], row["unfinished"]) == (100.0, 0), case.name


def test_the_quickstart_is_valid_and_shows_the_mistake(tmp_path):
    done = experiment.run(ROOT / "experiments/http_executors/quickstart.toml", out=tmp_path, progress=False)
    assert done.verdict == "valid", done.reasons
    assert [case.summary["verdict"] for case in done.cases] == ["valid", "valid", "invalid"]


def test_our_server_that_does_not_wait_is_found_out(tmp_path):
    done = run(tmp_path, {"executor": "process", "awaited": False, "expect": "invalid"})
    assert done.verdict == "valid", done.reasons
    row = done.cases[0].summary
    assert row["unfinished"] > 100
    assert row["rate"] > 10 * row["bound"]


def test_our_native_route_sleeps_for_every_user_at_once(tmp_path):
    done = run(tmp_path, {"executor": "native", "users": 100})
    assert done.verdict == "valid", done.reasons
    row = done.cases[0].summary
    assert row["rate"] > 0.8 * row["bound"] == pytest.approx(0.8 * 100 / 0.28)


def test_a_server_that_does_not_come_up_says_why(tmp_path):
    program = tmp_path / "broken.py"
    program.write_text("raise SystemExit('no luck today')\n")
    done = run(tmp_path, {"server": str(program)})
    assert done.verdict == "failed"
    assert any("the server did not come up: no luck today" in reason for reason in done.reasons)
