"""The bench of idle connections runs, and what it measures keeps its bar."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "experiments/http_executors/idle_bench.py"


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(PROGRAM), *options], capture_output=True, text=True, timeout=120)


def test_an_idle_connection_costs_less_than_three_kilobytes():
    done = run("--connections", "2000", "--idle", "1", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["connections"] == 2000
    assert 500 < found["bytes_each"] <= 3 * 1024


def test_too_few_files_are_said_before_anything_is_opened():
    done = run("--connections", "100000000")
    assert done.returncode == 2
    assert "open files" in done.stderr
    assert not done.stdout
