"""The batching part: a case is one child process that runs a workload and records what came of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from headrace.experiment.batching_case import KEYS, BatchingCase
from headrace.experiment.fleet import Fleet, Program
from headrace.experiment.part import Part, Setting
from headrace.experiment.worker_run import CHILD, PERIOD_S, watched
from headrace.servers import RedisServer
from headrace.servers.launch import find_binary

if TYPE_CHECKING:
    from headrace.results import CaseFacts

PROGRAMS: Final = "headrace.experiment.batching.workloads"


def check(cases: Sequence[BatchingCase]) -> None:
    """Raises NotFound when a private server is needed and not installed."""
    if any(case.workload == "redis" for case in cases):
        find_binary(RedisServer.binary, RedisServer.package)


def run(case: BatchingCase, setting: Setting) -> CaseFacts:
    """Runs one case in a child process, watches it, and stops it when it takes too long."""
    with _server(case, setting) as server:
        args = {**case.to_json(), "folder": str(setting.segments), "seed": setting.seed}
        if server:
            setting.set_server(server.config())
            args["url"] = server.url
        plan = [("the worker", [Program(case.workload, args)])]
        with Fleet(plan, module=setting.module or PROGRAMS, interval_s=PERIOD_S / 2, child=CHILD) as fleet:
            return watched(case, fleet, setting, server)


@contextlib.contextmanager
def _server(case: BatchingCase, setting: Setting) -> Iterator[RedisServer | None]:
    if case.workload != "redis":
        yield None
        return
    with RedisServer(appendonly=False) as server:
        yield server


PART = Part("batching", KEYS, BatchingCase, check, run)
