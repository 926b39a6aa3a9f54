"""A comparison of commands: who runs, what is judged, what is left out, and how mistakes are said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headrace.experiment.side_by_side.bars import Bar, demand, judge
from headrace.experiment.side_by_side.needs import go, module, npm
from headrace.experiment.side_by_side.program import Experiment, main
from headrace.experiment.side_by_side.tables import Shown

PRINT = """
import json, sys
print("words first")
print(json.dumps({"items": 5, "done": int(sys.argv[2]), "rate": float(sys.argv[1])}))
"""


def spec(folder: Path, *, bars: str, ours: tuple[float, int] = (300.0, 5), more: str = "") -> Path:
    """Two contenders that print a rate, and one whose need is never met."""
    here = folder / "experiments" / "x"
    here.mkdir(parents=True)
    (here / "print.py").write_text(PRINT)
    program = '"{python}", "{here}/print.py"'
    (here / "side_by_side.toml").write_text(
        f"""
        [run]
        rounds = 3
        number = 100
        [[group]]
        name = "one"
        about = "a rate"
        bars = [{bars}]
        contender = [
          {{ name = "headrace", command = [{program}, "{ours[0]}", "{ours[1]}"] }},
          {{ name = "rival", command = [{program}, "{{number}}", "5"] }},
          {{ name = "absent", needs = ["moon"], command = ["moon"] }},
        ]
        {more}
        """
    )
    return here


def run(here: Path, *argv: str) -> int:
    needs = {"moon": lambda: "the moon is not there; get it with: rocket"}
    must: tuple[tuple[str, str | int], ...] = (("done", "items"), ("wrong", 0))
    return main(Experiment(here, "help", (Shown("items/s", "rate", "{:,.0f}"),), "basis", needs, must), argv)


def test_bars_are_judged_by_medians_and_named_again_at_the_end(tmp_path, capsys):
    bars = """
      { metric = "rate", over = "rival", at_least = 2.5 },
      { metric = "rate", minus = "rival", at_most = 100 },
      { metric = "rate", over = "absent", at_least = 1 },
    """
    here = spec(tmp_path, bars=bars.replace("\n", ""))
    assert run(here, "--json", str(tmp_path / "out.json")) == 1
    said = capsys.readouterr().out
    assert "reached    rate >= 2.5 x rival: 3.000" in said
    assert "MISSED     rate <= 100 more than rival: 200.000" in said
    assert "not judged rate >= 1 x absent: the moon is not there; get it with: rocket" in said
    assert said.rstrip().endswith("1 reached, 1 missed, 1 not judged")
    (group,) = json.loads((tmp_path / "out.json").read_text())["groups"]
    assert [s["rate"] for s in group["samples"]["headrace"]] == [300.0] * 3


def test_all_bars_reached_is_status_0(tmp_path, capsys):
    here = spec(tmp_path, bars='{ metric = "rate", over = "rival", at_least = 3.0 }')
    assert run(here, "--rounds", "1") == 0


def test_a_run_whose_items_are_not_all_done_fails(tmp_path, capsys):
    here = spec(tmp_path, bars="", ours=(300.0, 4))
    assert run(here) == 1
    assert "one, headrace: done is 4, and not 5" in capsys.readouterr().err


def test_quick_runs_once_and_judges_nothing(tmp_path, capsys):
    here = spec(tmp_path, bars='{ metric = "rate", over = "rival", at_least = 9 }')
    assert run(here, "--quick") == 0
    assert "MISSED" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "more", "said"),
    [
        (["--only", "two"], "", "no group 'two'; groups: one"),
        (["--contenders", "nobody"], "", "no contender 'nobody'; contenders: absent, headrace, rival"),
        (["--rounds", "0"], "", "--rounds must be at least 1"),
        ([], 'colour = "red"\n[[group]]', "a group without 'name'"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(tmp_path, capsys, argv, more, said):
    here = spec(tmp_path, bars="", more=more)
    assert run(here, *argv) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_bar_about_nobody_is_refused(tmp_path, capsys):
    here = spec(tmp_path, bars='{ metric = "rate", over = "ghost", at_least = 1 }')
    assert run(here) == 2
    assert "a bar speaks of 'ghost', who does not take part" in capsys.readouterr().err


def samples(**rates: list[float]) -> dict[str, list[dict[str, Any]]]:
    return {name: [{"rate": r} for r in listed] for name, listed in rates.items()}


def test_of_several_rivals_the_best_counts():
    bar = Bar("rate", over=["a", "b"], at_least=2.0)
    found = judge(bar, samples(headrace=[10, 12, 11], a=[1, 2, 1], b=[5, 6, 5]))
    assert found is not None
    assert (found.value, found.reached) == (11 / 5, True)
    assert demand(bar) == "rate >= 2 x the best of a, b"
    assert judge(bar, samples(headrace=[10.0], a=[1.0])) is None


def test_a_bar_may_be_of_another_contender():
    bar = Bar("rate", of="second", at_most=3)
    found = judge(bar, samples(headrace=[1.0], second=[4.0]))
    assert found is not None
    assert not found.reached
    assert demand(bar) == "second: rate <= 3"


def test_a_need_that_is_not_met_says_how_to_get_it(tmp_path, monkeypatch):
    assert module("json", "json")() is None
    assert module("no_such_module", "x[y]")() == "no_such_module is not installed; install it with: pip install 'x[y]'"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt install golang-go" in (go(tmp_path, tmp_path / "program")() or "")
    assert "apt install nodejs npm" in (npm("ioredis", "5", tmp_path)() or "")
