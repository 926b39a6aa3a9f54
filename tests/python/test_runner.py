from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headrace import experiment, results
from headrace.errors import InvalidArgument
from headrace.experiment.flow import FlowOptions


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs one case, or several, with the fake programs; returns the closed run."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))

    def go(*cases: dict[str, Any], **settings: Any) -> results.Run:
        common = {"url": f"inproc://{tmp_path}/queue", "count": 40, "timeout": 20.0}
        tables = [{**common, **case} for case in cases or [{}]]
        spec = experiment.parse_spec({"experiment": {"name": "test", **settings}, "case": tables})
        return experiment.run(spec, out=tmp_path / "out", progress=False, programs="fakes")

    return go


def test_every_message_is_accounted_for(run):
    done = run({"producers": 2, "consumers": 3})
    assert (done.verdict, done.reasons) == ("valid", [])
    summary = done.cases[0].summary
    assert (summary["sent"], summary["acked"], summary["received"]) == (80, 80, 80)


def test_the_folder_loads_again(run):
    done = run()
    again = results.load(done.path)
    assert again.verdict == "valid"
    assert again.spec["case"][0]["count"] == 40
    assert again.seed is not None


def test_programs_in_separate_processes_meet_at_a_broker(run, monkeypatch):
    monkeypatch.setattr(experiment.MqCase, "in_process", property(lambda self: False))
    done = run({"producers": 3, "consumers": 2})
    assert done.verdict == "valid"
    assert done.cases[0].summary["received"] == 120


def test_a_lost_message_is_found_and_ends_the_wait(run, monkeypatch):
    monkeypatch.setattr("headrace.experiment.broker.Broker.backlog", lambda self, topic, group: 0)
    monkeypatch.setattr("headrace.experiment.case.FlowOptions", partial(FlowOptions, stall=0.5))
    done = run({"payload": "lose"})
    assert done.verdict == "invalid"
    assert done.cases[0].summary["lost"] == 1


def test_duplicates_are_allowed_and_counted(run):
    done = run({"payload": "twice"})
    assert done.verdict == "valid"
    assert done.cases[0].summary["duplicated"] == 40


def test_a_crash_fails_the_case_with_the_last_words_of_the_child(run):
    done = run({"payload": "crash"})
    assert done.verdict == "failed"
    assert "status 3: the floor gave way" in " ".join(done.reasons)


def test_a_refused_connection_fails_the_case_in_one_sentence(run):
    done = run({"payload": "refuse"})
    assert done.verdict == "failed"
    assert any("connection refused" in reason for reason in done.reasons)


def test_an_error_at_close_fails_the_case(run):
    done = run({"payload": "full"})
    assert done.verdict == "failed"
    assert any("No space left" in reason for reason in done.reasons)


def test_a_case_that_takes_too_long_is_stopped(run):
    done = run({"payload": "slow", "count": 10_000, "timeout": 0.3})
    assert done.verdict == "failed"
    assert any(reason.startswith("timed out after 0.3 s") for reason in done.reasons)
    assert done.cases[0].summary["sent"] > 0


def test_a_program_that_does_not_stop_is_killed(run, monkeypatch):
    monkeypatch.setattr("headrace.experiment.case.FlowOptions", partial(FlowOptions, stop_grace=0.2))
    done = run({"payload": "deaf", "count": 10_000, "timeout": 0.3})
    assert any("was killed" in reason for reason in done.reasons)


def test_a_failed_case_does_not_keep_the_next_from_running(run):
    done = run({"name": "bad", "payload": "crash"}, {"name": "good"})
    assert done.case("bad").verdict == "failed"
    assert done.case("good").verdict == "valid"
    assert done.verdict == "failed"


def test_the_expected_verdict_is_the_success(run):
    done = run({"payload": "crash", "expect": "failed"})
    assert done.verdict == "valid"
    assert done.exit_code == 0


def test_sweeps_and_repeats_are_cases_of_their_own(run):
    done = run({"size": [100, 200], "count": 5}, repeat=2)
    assert [(c.name, c.repeat) for c in done.cases] == [
        ("test,size=100", 1),
        ("test,size=200", 1),
        ("test,size=100", 2),
        ("test,size=200", 2),
    ]


def test_the_series_tells_what_it_cost(run):
    series = run({"payload": "slow", "count": 150}).series
    assert len(series) >= 1
    assert series["sent"].max() > 0
    assert series["generator_rss"].max() > 1_000_000


def test_nothing_is_left_running(run):
    run({"payload": "crash"})
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children]
    assert not [c for c in commands if b"headrace.experiment.child" in c]


def test_more_programs_than_open_files_is_refused_at_once(run, monkeypatch):
    monkeypatch.setattr(experiment.MqCase, "in_process", property(lambda self: False))
    monkeypatch.setattr("resource.getrlimit", lambda which: (64, 64))
    with pytest.raises(InvalidArgument, match="open files"):
        run({"producers": 100})


def test_children_import_little():
    program = "import sys, headrace.experiment.child; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"numpy", "pandas", "pyarrow", "typer", "rich", "subprocess"} & set(loaded.split())
