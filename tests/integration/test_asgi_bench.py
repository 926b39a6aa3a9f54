"""asgi_bench.py measures ours and every rival; its bars are judged by the program, on a quiet machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "experiments" / "http_executors" / "asgi_bench.py"


def test_every_case_has_every_server_and_a_verdict() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH), "--rounds", "1", "--seconds", "1", "--target", "raw"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stderr == ""
    rows = done.stdout.splitlines()
    assert [row.split()[:2] for row in rows] == [["raw", case] for case in ("hello", "echo", "json")]
    for row in rows:
        assert all(f"{server} " in row for server in ("headrace", "granian", "uvicorn"))
    assert done.returncode == (1 if any("MISSED" in row for row in rows) else 0)
