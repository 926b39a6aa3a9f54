"""``run()``: from a spec to a closed run folder with a verdict."""

from __future__ import annotations

import importlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headrace.errors import InvalidArgument
from headrace.experiment.broker import broker_for
from headrace.experiment.case import Outcome, Setting, run_case
from headrace.experiment.interrupt import Interrupt
from headrace.experiment.mq_case import MqCase
from headrace.experiment.planning import PlannedCase, plan
from headrace.experiment.progress import Progress, for_terminal
from headrace.experiment.spec import Spec, load_spec
from headrace.servers import RedisServer
from headrace.servers.launch import find_binary

if TYPE_CHECKING:
    from headrace.results import CaseFacts, Run, RunFolder

#: Program counters whose sums over all programs are kept in run.json.
_SUMS = (
    *("payload_bytes", "bytes_out", "bytes_in", "requests", "writes", "reads", "cpu_ns"),
    *("reconnects", "resent", "redelivered", "dropped_by_broker"),
)


def run(
    spec: str | os.PathLike[str] | Spec,
    *,
    overrides: Iterable[str] = (),
    out: str | os.PathLike[str] = "results",
    repeat: int | None = None,
    progress: bool | None = None,
    programs: str = "headrace.mq.programs",
) -> Run:
    """Runs every case of a spec and returns the closed run; its folder lies under ``out``.

    spec
        A TOML file, the folder of an earlier run (to repeat it), or a Spec from ``load_spec`` or
        ``parse_spec``.
    overrides
        ``"size=100"``, ``"redis.appendfsync=always"``: for every case; only with a file.
    repeat
        How often to run the cases, instead of the spec's own number.
    progress
        None: a live line on a terminal, a line per case elsewhere; False: nothing.
    programs
        The module with ProduceProgram and ConsumeProgram.

    Ctrl-C ends the case under way in an orderly manner; the folder is closed with the verdict ``failed``.
    What fails in one case does not keep the next from running.

    Raises InvalidArgument, NotFound or IoError for a spec or folder that cannot be used, NotFound when
    a private server is needed and not installed.
    """
    from headrace.results import RunFolder

    if not isinstance(spec, Spec):
        spec = load_spec(spec, overrides=overrides)
    elif list(overrides):
        raise InvalidArgument("overrides go with a spec file; change the Spec instead")
    cases = plan(spec, repeat=repeat)
    importlib.import_module("headrace.results.run")  # now, so that closing the folder after Ctrl-C is quick
    seed = secrets.randbits(31) if spec.seed is None else spec.seed
    spec = replace(spec, seed=seed, repeat=spec.repeat if repeat is None else repeat)
    _check_servers(cases)
    folder = RunFolder.create(os.fspath(out), name=spec.name, spec=spec.to_json(), seed=seed)
    with folder, for_terminal(progress) as view, Interrupt() as interrupt:
        for number, case in enumerate(cases, 1):
            view.begin(case, number, len(cases))
            _run_one(folder, case, seed, view, interrupt, programs)
            if interrupt.requested:
                return folder.close(state="interrupted", exports=False, report=False)
    return folder.close()


def _check_servers(cases: Iterable[PlannedCase]) -> None:
    """Raises NotFound, before anything is written, when a private server is needed and not installed."""
    if not all(case.settings.url for case in cases):
        find_binary(RedisServer.binary, RedisServer.package)


def _run_one(
    folder: RunFolder, case: PlannedCase, seed: int, view: Progress, interrupt: Interrupt, programs: str
) -> None:
    settings = case.settings
    expect = None if case.expect == "valid" else case.expect
    record = folder.start_case(case.name, settings.to_json(), repeat=case.repeat, expect=expect)
    with broker_for(settings, folder.path) as broker:
        config = broker.config()
        folder.set_server(config)
        setting = Setting(record.segments, folder.anchor, seed, record.append_series, view, interrupt, programs)
        outcome = run_case(settings, broker, setting)
    view.end(outcome.elapsed_s, outcome.totals, outcome.failures)
    record.finish(facts_of(settings, outcome, config))


def facts_of(case: MqCase, outcome: Outcome, server: dict[str, Any]) -> CaseFacts:
    """What the verdict needs to know besides the recorded rows."""
    from headrace.results import CaseFacts

    t, threads = outcome.totals, case.producers * case.threads
    complete = len(outcome.producers) == case.producers and not outcome.failures
    return CaseFacts(
        window=case.window * threads,
        warmup_s=case.warmup,
        asked_rate=case.rate or None,
        window_full=_window_full(outcome, case.threads),
        expected=case.total,
        reported_acked=t.acked if complete else None,
        failures=tuple(outcome.failures),
        notes=_notes(server),
        extra={
            "elapsed_s": outcome.elapsed_s,
            "producers": _sums(outcome.producers),
            "consumers": _sums(outcome.consumers),
            "server": server,
        },
    )


def _notes(server: dict[str, Any]) -> tuple[str, ...]:
    if server.get("data_filesystem") in ("tmpfs", "ramfs"):
        return ("the server kept its data in memory (tmpfs): an fsync cost nothing and kept nothing",)
    return ()


def _window_full(outcome: Outcome, threads: int) -> float | None:
    """Share of the producers' time in which a full window held a send back, or None when they did not say."""
    waited = sum(s.get("window_full_ns", 0) for s in outcome.producers)
    worked = sum(max(0, s.get("last_ns", 0) - s.get("first_ns", 0)) for s in outcome.producers)
    return min(1.0, waited / (threads * worked)) if worked else None


def _sums(programs: list[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(p[name] for p in programs if name in p) for name in _SUMS if any(name in p for p in programs)}
