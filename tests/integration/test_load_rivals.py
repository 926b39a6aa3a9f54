"""The comparison with wrk, siege and hey runs and finds figures; whether its bars are reached is for idle machines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def samples(tmp_path: Path, group: str, *options: str) -> dict[str, list[dict[str, float]]]:
    out = tmp_path / "out.json"
    program = [sys.executable, str(ROOT / "experiments/http_executors/load_bench.py")]
    argv = [*program, "--only", group, "--rounds", "1", "--json", str(out), *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110, cwd=ROOT)
    assert done.returncode in (0, 1), done.stderr
    assert "not judged" not in done.stdout
    found: dict[str, list[dict[str, float]]] = json.loads(out.read_text())[group]
    return found


def needs(*programs: str) -> None:
    for name in programs:
        if shutil.which(name) is None:
            missing = f"{name} is not installed; script/bootstrap --all installs it"
            if os.environ.get("HEADRACE_REQUIRE_SERVERS") == "1":
                pytest.fail(missing)
            pytest.skip(missing)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="server and generator need a core each")
@pytest.mark.parametrize(("group", "rivals"), [("keep-alive", ("wrk", "hey", "siege")), ("close", ("siege", "hey"))])
def test_each_generator_is_measured(tmp_path, group, rivals):
    needs(*rivals)
    found = samples(tmp_path, group, "--seconds", "1")
    assert set(found) == {"headrace", *rivals}
    for name, (one,) in found.items():
        assert one["rate"] > 100, name
        assert one["cpu_us"] > 0, name
