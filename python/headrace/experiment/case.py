"""Running one message-queue case: children up, everybody starts at one moment, watch, drain, stop, report."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headrace._interrupt import Interrupt
from headrace.experiment.broker import Broker
from headrace.experiment.fleet import POLL_S, Fleet, Program
from headrace.experiment.flow import CaseFlow, FlowOptions, Step, Totals
from headrace.experiment.mq_case import MqCase
from headrace.experiment.part import Setting
from headrace.experiment.series import Series

GROUP = "headrace"
PROGRAMS = "headrace.mq.programs"  #: where the children find ProduceProgram and ConsumeProgram
_CONNECT_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """What the runner knows about a case and the recorded rows cannot tell."""

    totals: Totals
    failures: list[str]
    elapsed_s: float
    producers: list[dict[str, Any]]  #: last statistics of each producer program
    consumers: list[dict[str, Any]]
    interrupted: bool


def run_case(case: MqCase, broker: Broker, setting: Setting) -> Outcome:
    """Runs one case to its end, whatever that is. Raises only what is no fault of the case."""
    topic = f"{case.topic}-{secrets.token_hex(4)}"
    plans = programs(case, broker.url, topic, setting)
    interval_s = min(max(0.0025 * len(plans), 0.05), 0.5)  # hundreds of children must not wake up too often
    flow = CaseFlow(FlowOptions(case.timeout, silence=case.claim_idle + 10.0))
    flow.options.quiet = max(flow.options.quiet, 3 * interval_s)
    with Fleet(plans, module=setting.module or PROGRAMS, interval_s=interval_s) as fleet:
        series = Series(
            setting.append_series,
            asked_rate=case.rate,
            total=case.total,
            generator=fleet.usage,
            server=broker.usage,
        )
        if _connected(fleet, flow, setting.interrupt):
            _drive(fleet, flow, setting, series, lambda: broker.backlog(topic, GROUP))
        broker.delete(topic)
        return _outcome(fleet, flow, setting.interrupt)


def programs(case: MqCase, url: str, topic: str, setting: Setting) -> list[tuple[str, list[Program]]]:
    """The children of a case, each a label and its programs: all in one where the broker is in-process."""
    consumers = [
        (f"consumer {n}", [Program("consume", _consumer(case, url, topic, setting, n))])
        for n in range(1, case.consumers + 1)
    ]
    producers = [
        (f"producer {n}", [Program("produce", _producer(case, url, topic, setting, n))])
        for n in range(1, case.producers + 1)
    ]
    everybody = consumers + producers
    if case.in_process:
        return [("the process of all programs", [p for _, listed in everybody for p in listed])]
    return everybody


def _producer(case: MqCase, url: str, topic: str, setting: Setting, number: int) -> dict[str, Any]:
    return {
        "url": url,
        "topic": topic,
        "threads": case.threads,
        "size": case.size,
        "batch": case.batch,
        "count": case.count,
        "rate": case.rate / case.producers,
        "arrivals": case.arrivals,
        "window": case.window,
        "payload": case.payload,
        "segment": str(setting.segments / f"sent-{number:05d}"),
        "detail": case.detail,
        "anchor": setting.anchor,
        "seed": setting.seed + number,
    }


def _consumer(case: MqCase, url: str, topic: str, setting: Setting, number: int) -> dict[str, Any]:
    return {
        "url": url,
        "topic": topic,
        "threads": case.consumer_threads,
        "batch": case.consumer_batch,
        "group": GROUP,
        "claim_idle": case.claim_idle,
        "segment": str(setting.segments / f"received-{number:05d}"),
        "detail": case.detail,
        "anchor": setting.anchor,
    }


def _connected(fleet: Fleet, flow: CaseFlow, interrupt: Interrupt) -> bool:
    """Waits until every child is connected; False when that failed, with the reason in ``flow.failures``."""
    flow.failures += fleet.await_ready(interrupt, _CONNECT_TIMEOUT_S)
    return fleet.all_ready and not flow.failures and not fleet.problems


def _drive(fleet: Fleet, flow: CaseFlow, setting: Setting, series: Series, backlog: Callable[[], int | None]) -> None:
    at_ns = time.monotonic_ns() + int((0.05 + 0.0005 * fleet.size) * 1e9)
    flow.begin(at_ns / 1e9)
    fleet.start(at_ns)
    while True:
        fleet.poll(POLL_S)
        now, totals = time.monotonic(), fleet.totals()
        if fleet.problems and not flow.failures:
            flow.fail(now, fleet.problems[0])
        if setting.interrupt.requested and "interrupted" not in flow.failures:
            flow.interrupt(now)
        done = {kind: fleet.kind_done(kind) for kind in ("produce", "consume")}
        step = flow.step(now, totals, producers_done=done["produce"], consumers_done=done["consume"])
        elapsed = now - flow.started
        series.tick(elapsed, totals)
        setting.progress.update(elapsed, totals)
        if step is Step.ASK_BROKER:
            flow.on_backlog(now, backlog())
        elif step is Step.STOP_PRODUCERS:
            fleet.stop("produce")
        elif step is Step.STOP_CONSUMERS:
            fleet.stop("consume")
        elif step is Step.STOP_ALL:
            fleet.stop()
        elif step is Step.KILL:
            fleet.kill()
        elif step is Step.OVER:
            break
    fleet.finish(flow.options.stop_grace)
    series.finish(time.monotonic() - flow.started, fleet.totals())


def _outcome(fleet: Fleet, flow: CaseFlow, interrupt: Interrupt) -> Outcome:
    failures = flow.failures + [p for p in fleet.problems if p not in flow.failures]
    by_kind = {kind: [s for p, s in fleet.stats() if p.kind == kind] for kind in ("produce", "consume")}
    elapsed = max(0.0, time.monotonic() - flow.started) if flow.started else 0.0
    return Outcome(fleet.totals(), failures, elapsed, by_kind["produce"], by_kind["consume"], interrupt.requested)
