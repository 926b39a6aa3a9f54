"""The message-queue part: producers and consumers around a broker, and what the runner knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headrace.experiment import mq_case
from headrace.experiment.broker import broker_for
from headrace.experiment.case import Outcome, run_case
from headrace.experiment.mq_case import MqCase
from headrace.experiment.part import Part, Setting
from headrace.servers import RedisServer
from headrace.servers.launch import find_binary

if TYPE_CHECKING:
    from headrace.results import CaseFacts

#: Program counters whose sums over all programs are kept in run.json.
_SUMS = (
    *("payload_bytes", "bytes_out", "bytes_in", "requests", "writes", "reads", "cpu_ns"),
    *("reconnects", "resent", "redelivered", "dropped_by_broker"),
)


def check(cases: Sequence[MqCase]) -> None:
    """Raises NotFound when a private server is needed and not installed."""
    if not all(case.url for case in cases):
        find_binary(RedisServer.binary, RedisServer.package)


def run(case: MqCase, setting: Setting) -> CaseFacts:
    """Runs one case against its broker."""
    with broker_for(case, setting.folder) as broker:
        config = broker.config()
        setting.set_server(config)
        outcome = run_case(case, broker, setting)
    setting.progress.end(outcome.elapsed_s, outcome.totals, outcome.failures)
    return facts_of(case, outcome, config)


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


PART = Part("mq", mq_case.KEYS, MqCase, check, run)
