"""slowhttptest's attacks with headers, bodies and reads that take for ever: its probe must always be answered."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import pytest

import headrace
from tests.conformance.conftest import make
from tests.conformance.tools import SCORES, missing

CONNECTIONS = 400
SECONDS = 8
ATTACKS = {
    "headers": ["-H", "-u", "/hello"],
    "body": ["-B", "-u", "/count", "-s", "100000"],
    "read": ["-X", "-u", "/stream/1000000", "-w", "10", "-y", "20", "-n", "1", "-z", "5"],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_probe_is_answered_and_the_attackers_are_cut_off(attack: str, tmp_path: Path) -> None:
    if shutil.which("slowhttptest") is None:
        missing("slowhttptest")
    server = make(header_timeout_s=2.0, body_timeout_s=2.0, write_timeout_s=2.0)
    with server.running(grace_s=0.0):
        rows = _attack(server, ATTACKS[attack], tmp_path)
        said = server.stats()
    assert max(int(r["Connected"]) + int(r["Closed"]) for r in rows) >= CONNECTIONS // 2, "it was no attack"
    assert all(int(r["Service Available"]) > 0 for r in rows), rows
    cut = min(CONNECTIONS, max(said["timeouts"], said["connections_dropped"]))
    assert cut >= CONNECTIONS // 2, "those that a busy machine let in late are not cut off before the attack ends"
    SCORES.append(f"slowhttptest, slow {attack}: {cut} connections of {CONNECTIONS} cut off, the probe always answered")


def _attack(server: headrace.http.Server, options: list[str], folder: Path) -> list[dict[str, str]]:
    """What it saw, second by second."""
    program = ["slowhttptest", "-g", "-o", str(folder / "seen"), "-c", str(CONNECTIONS), "-r", "400"]
    limits = ["-i", "1", "-l", str(SECONDS), "-p", "5"]  # a probe may take its default, 5 s
    target = [server.url + o if o.startswith("/") else o for o in options]
    done = subprocess.run(
        [*program, *limits, *target], capture_output=True, text=True, timeout=SECONDS + 30, check=False
    )
    seen = folder / "seen.csv"
    assert seen.exists(), done.stdout + done.stderr
    with seen.open(newline="") as file:
        return list(csv.DictReader(file))
