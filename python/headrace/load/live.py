"""What a person sees while a load runs: one line on a terminal, kept up to date."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.live import Live as RichLive

_RATE_WINDOW_S = 1.0


@dataclass(frozen=True)
class Progress:
    """A load so far. Never changes; the next one is a new object.

    Attributes:
        elapsed_s: seconds since the start, warm-up included.
        total_s: seconds that it will take without the wait at the end; 0 when it is not known.
        counts: the generator's counters, as in `LoadResult.counts`.
        rate: transactions per second over the last second.
        p50_ms, p99_ms: response times so far, at most half a second old.
    """

    elapsed_s: float
    total_s: float
    counts: dict[str, int]
    rate: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    _past: tuple[tuple[float, int], ...] = field(default=(), repr=False)

    @classmethod
    def first(cls, options: dict[str, Any]) -> Self:
        """Before anything has happened."""
        total = options["warm_up"] + options["duration"] if options["duration"] else 0.0
        return cls(0.0, total, {}, _past=((0.0, 0),))

    def after(self, elapsed_s: float, counts: dict[str, int], p50_ns: int, p99_ns: int) -> Self:
        """What follows upon this."""
        done = counts["ok"] + counts["warm_up"]
        past = (*(one for one in self._past if elapsed_s - one[0] <= _RATE_WINDOW_S), (elapsed_s, done))
        span = elapsed_s - past[0][0]
        rate = (done - past[0][1]) / span if span > 0 else self.rate
        return type(self)(elapsed_s, self.total_s, counts, rate, p50_ns / 1e6, p99_ns / 1e6, past)

    def __str__(self) -> str:
        of = f" of {self.total_s:g}" if self.total_s else ""
        failed = self.counts.get("failed", 0)
        return (
            f"{self.elapsed_s:5.1f}{of} s  {self.rate:,.0f}/s  in flight {self.counts.get('in_flight', 0)}  "
            f"p50 {self.p50_ms:.3g} ms  p99 {self.p99_ms:.3g} ms  {self.counts.get('ok', 0):,} ok  {failed:,} failed"
        )


class Live:
    """The line. Nothing is left of it after `close`."""

    def __init__(self) -> None:
        self._rich: RichLive | None = None

    @classmethod
    def wanted(cls, live: bool | None) -> Self | None:
        """One when ``live`` is not False and standard error is a terminal."""
        return cls() if live is not False and sys.stderr.isatty() else None

    def show(self, progress: Progress) -> None:
        """Draws it anew."""
        from rich.text import Text

        if self._rich is None:
            from rich.console import Console
            from rich.live import Live as RichLive

            # No refresh thread: the loop that waits for the load draws.
            self._rich = RichLive("", console=Console(stderr=True), auto_refresh=False, transient=True)
            self._rich.start()
        self._rich.update(Text(str(progress), no_wrap=True, overflow="ellipsis"), refresh=True)

    def close(self) -> None:
        """Removes it."""
        if self._rich is not None:
            self._rich.stop()
            self._rich = None
