"""Running a case of a part that counts its items: one worker process, watched, and stopped when it takes too long."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from headrace.experiment.fleet import POLL_S, Fleet
from headrace.experiment.flow import Totals
from headrace.experiment.part import Setting
from headrace.experiment.series import Series
from headrace.servers.usage import Usage

if TYPE_CHECKING:
    from headrace.results import CaseFacts

#: The module that a worker process runs.
CHILD: Final = "headrace.experiment.batching.worker"
PERIOD_S: Final = 0.5
_READY_TIMEOUT_S = 60.0
_STOP_GRACE_S = 5.0


class CountedCase(Protocol):
    """What a case must tell about itself."""

    @property
    def timeout(self) -> float: ...

    @property
    def total(self) -> int: ...

    @property
    def asked_rate(self) -> float | None: ...


class Measured(Protocol):
    """A server whose CPU and memory go into the series."""

    def usage(self) -> Usage | None: ...


@dataclass(frozen=True)
class Counts:
    """What the worker last said about its items."""

    started: int = 0
    done: int = 0
    failed: int = 0

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Counts:
        return cls(*(int(said.get(name, 0)) for name in cls.__dataclass_fields__))

    def running(self) -> dict[str, int]:
        return {"started": self.started, "completed": self.done}

    def finished(self) -> int:
        return self.done + self.failed

    def aside(self) -> str:
        return f"in flight {max(0, self.started - self.finished()):,}" + (
            f"  errors {self.failed:,}" if self.failed else ""
        )

    def __str__(self) -> str:
        text = f"{self.started:,} started, {self.done:,} completed"
        return text + (f", {self.failed:,} failed" if self.failed else "")


def watched(case: CountedCase, fleet: Fleet, setting: Setting, server: Measured | None = None) -> CaseFacts:
    """Starts the worker when it is ready and follows it to its end, or stops it; ``server`` is one to measure."""
    failures = fleet.await_ready(setting.interrupt, _READY_TIMEOUT_S)
    began = time.monotonic()
    if fleet.all_ready and not failures and not fleet.problems:
        fleet.start(time.monotonic_ns())
        failures += _drive(case, fleet, server, setting, began)
        fleet.finish(_STOP_GRACE_S)
    elapsed = time.monotonic() - began
    failures += [p for p in fleet.problems if p not in failures]
    setting.progress.end(elapsed, _counts(fleet), failures)
    return _facts(case, failures, elapsed)


def _drive(case: CountedCase, fleet: Fleet, server: Measured | None, setting: Setting, began: float) -> list[str]:
    """Until the worker is done; what made us stop it, if something did."""
    series = Series(
        setting.append_series,
        asked_rate=0.0,
        total=case.total,
        generator=fleet.usage,
        server=server.usage if server else lambda: None,
        period_s=PERIOD_S,
    )
    failures: list[str] = []
    while not fleet.all_gone:
        fleet.poll(POLL_S)
        elapsed = time.monotonic() - began
        counts = _counts(fleet)
        series.tick(elapsed, _totals(counts), _gauges(fleet))
        setting.progress.update(elapsed, counts)
        if setting.interrupt.requested:
            failures.append("interrupted")
        elif elapsed >= case.timeout:
            failures.append(f"timed out after {case.timeout:g} s with {counts}")
        if failures:
            fleet.stop()
            break
    series.finish(time.monotonic() - began, _totals(_counts(fleet)), _gauges(fleet))
    return failures


def _said(fleet: Fleet) -> dict[str, Any]:
    return next((stats for _, stats in fleet.stats()), {})


def _counts(fleet: Fleet) -> Counts:
    return Counts.of(_said(fleet))


def _gauges(fleet: Fleet) -> dict[str, Any]:
    return dict(_said(fleet).get("gauges") or {})


def _totals(counts: Counts) -> Totals:
    """As the series has them: an item is sent when it starts, acknowledged and received when it completes."""
    return Totals(sent=counts.started, acked=counts.done, failed=counts.failed, received=counts.done)


def _facts(case: CountedCase, failures: list[str], elapsed: float) -> CaseFacts:
    from headrace.results import CaseFacts

    return CaseFacts(
        asked_rate=case.asked_rate,
        expected=case.total,
        failures=tuple(failures),
        extra={"elapsed_s": elapsed},
    )
