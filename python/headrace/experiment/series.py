"""Once a second (or another period): what was offered, sent, acknowledged and received, and what it cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from headrace.experiment.flow import Totals
from headrace.servers.usage import Usage


class Series:
    """Turns running totals into rows of rates (the columns are ``results.schema.SERIES``).

    ``asked_rate`` is in messages/s (0: closed loop), ``total`` the messages of the whole case; ``generator``
    and ``server`` tell what was used so far, None where that cannot be known. Times are seconds since the
    start.
    """

    def __init__(
        self,
        append: Callable[[Mapping[str, Any]], None],
        *,
        asked_rate: float,
        total: int,
        generator: Callable[[], Usage | None],
        server: Callable[[], Usage | None],
        period_s: float = 1.0,
    ) -> None:
        self._append, self._asked_rate, self._total = append, asked_rate, total
        self._generator, self._server, self._period_s = generator, server, period_s
        self._at, self._totals = 0.0, Totals()
        self._used = (generator(), server())

    def tick(self, elapsed: float, totals: Totals, gauges: Mapping[str, Any] | None = None) -> None:
        """Writes a row when a second has passed since the last; ``gauges`` are columns of the part's own."""
        if elapsed - self._at >= self._period_s:
            self._write(elapsed, totals, gauges)

    def finish(self, elapsed: float, totals: Totals, gauges: Mapping[str, Any] | None = None) -> None:
        """Writes what is left of the last second, unless nothing happened in it."""
        if elapsed > self._at and totals != self._totals:
            self._write(elapsed, totals, gauges)

    def _write(self, elapsed: float, totals: Totals, gauges: Mapping[str, Any] | None) -> None:
        span, before = elapsed - self._at, self._totals
        sent = totals.sent - before.sent
        row: dict[str, Any] = {
            "second": round(elapsed, 3),
            "offered": (self._offered(elapsed) - self._offered(self._at) if self._asked_rate else sent) / span,
            "sent": sent / span,
            "acked": (totals.acked - before.acked) / span,
            "received": (totals.received - before.received) / span,
            "errors": (totals.failed - before.failed) / span,
            "backlog": max(0, totals.acked - (totals.received - totals.redelivered)),
        }
        used = (self._generator(), self._server())
        for name, now, earlier in zip(("generator", "server"), used, self._used, strict=True):
            if now is not None:
                row[f"{name}_rss"] = now.memory_bytes
                if earlier is not None:
                    row[f"{name}_cpu"] = max(0.0, now.cpu_seconds - earlier.cpu_seconds) / span
        self._append(row | dict(gauges or {}))
        self._at, self._totals, self._used = elapsed, totals, used

    def _offered(self, elapsed: float) -> float:
        return min(self._asked_rate * max(elapsed, 0.0), float(self._total))
