"""The http part: a case is one child process that starts a server, puts it under load and records what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headrace.errors import NotFound
from headrace.experiment.fleet import Fleet, Program
from headrace.experiment.http.server import OURS
from headrace.experiment.http_case import KEYS, HttpCase
from headrace.experiment.part import Part, Setting
from headrace.experiment.worker_run import CHILD, PERIOD_S, watched
from headrace.servers.launch import find_binary

if TYPE_CHECKING:
    from headrace.results import CaseFacts

PROGRAMS: Final = "headrace.experiment.http.workload"


def check(cases: Sequence[HttpCase]) -> None:
    """Raises NotFound for a server program that is not there, or without openssl where a task speaks TLS."""
    for server in sorted({case.server for case in cases} - {OURS}):
        if not Path(server).is_file():
            raise NotFound(f"server {server!r}: no such program (paths start where headrace run is called)")
    if any(case.task == "tls-fetch" for case in cases):
        find_binary("openssl", "openssl")


def run(case: HttpCase, setting: Setting) -> CaseFacts:
    """Runs one case in a child process, watches it, and stops it when it takes too long."""
    args = {**case.to_json(), "folder": str(setting.segments), "seed": setting.seed}
    setting.set_server({"program": case.server})
    plan = [("the generator", [Program("http", args)])]
    with Fleet(plan, module=setting.module or PROGRAMS, interval_s=PERIOD_S / 2, child=CHILD) as fleet:
        return watched(case, fleet, setting)


PART = Part("http", KEYS, HttpCase, check, run)
