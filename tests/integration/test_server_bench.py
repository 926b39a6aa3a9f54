"""The side by side of server_bench.py measures every rival; its bars are judged by the program, on a quiet machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "experiments" / "http_executors" / "server_bench.py"


def test_every_task_has_every_rival_and_a_verdict(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = subprocess.run(
        [sys.executable, str(BENCH), "--rounds", "1", "--seconds", "1", "--json", str(out)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stderr == ""
    figures = json.loads(out.read_text())
    tasks = ("hello", "echo", "json")
    assert all(set(figures[task]) == {"headrace", "socketify"} for task in tasks)
    assert set(figures["executors"]) == {"native", "inline", "asyncio", "thread", "process", "sync"}
    assert all(row["per_cpu_s"] > 0 for group in (*tasks, "executors") for row in figures[group].values())
    assert done.returncode == (0 if all(figures[f"{task} ratio"] >= 1 for task in tasks) else 1)
