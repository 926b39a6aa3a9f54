"""The cases of the Autobahn test suite, as kosoku runs them, against the WebSocket echo."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import headrace
from tests.conformance.tools import SCORES, missing

COMPRESSION = ("12", "13")  #: permessage-deflate, which is not offered: each must end UNIMPLEMENTED, and cleanly
GOOD = {"OK", "INFORMATIONAL", "NON-STRICT"}


def test_every_case_passes_or_is_about_compression(tmp_path: Path) -> None:
    if importlib.util.find_spec("kosoku") is None:
        missing("kosoku")
    server = headrace.http.Server(max_body=64 << 20)
    server.route("GET", "/", native="websocket")
    with server.running(grace_s=0.0):
        kosoku = [str(Path(sys.executable).parent / "kosoku"), "--parallelism", "4", "--outdir", str(tmp_path)]
        done = subprocess.run(
            [*kosoku, f"127.0.0.1:{server.port}"], capture_output=True, text=True, timeout=110, check=False
        )
    index = tmp_path / "index.json"
    assert index.exists(), done.stdout + done.stderr
    ((_, results),) = json.loads(index.read_text()).items()
    ours = {case: r for case, r in results.items() if case.split(".")[0] not in COMPRESSION}
    others = {case: r for case, r in results.items() if case not in ours}
    bad = {c: r for c, r in ours.items() if not {r["behavior"], r["behaviorClose"]} <= GOOD}
    assert bad == {}
    assert {(r["behavior"], r["behaviorClose"]) for r in others.values()} == {("UNIMPLEMENTED", "OK")}
    assert len(ours) >= 301, "the suite has become smaller"
    verdicts = Counter(r["behavior"] for r in ours.values())
    SCORES.append(
        f"Autobahn cases: {len(ours)} of {len(ours)} pass ({', '.join(f'{n} {v}' for v, n in verdicts.items())}); "
        f"{len(others)} about compression, which is not offered, end in order"
    )
