"""The side by side of executors measures every rival; its bars are judged by the program, on a quiet machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "experiments" / "http_executors" / "executors_bench.py"


def test_every_figure_has_every_rival_and_a_verdict(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = subprocess.run(
        [sys.executable, str(BENCH), "--rounds", "1", "--json", str(out)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stderr == ""
    results = json.loads(out.read_text())
    processes = {"headrace", "ProcessPoolExecutor", "loky", "pebble"}
    assert all(set(by) == processes for by in results["process"]["figures"].values())
    assert all(set(by) == {"headrace", "ThreadPoolExecutor"} for by in results["thread"]["figures"].values())
    assert all(set(by) == {"headrace", "ProcessPoolExecutor"} for by in results["cpu"]["figures"].values())
    assert all(f > 0 for kind in results.values() for by in kind["figures"].values() for f in by.values())
    bars = [bar for kind in results.values() for bar in kind["bars"]]
    assert len(bars) == 6
    assert done.returncode == (0 if all(reached for *_, reached in bars) else 1)
    assert done.stdout.count("MISSED") == sum(not reached for *_, reached in bars)
