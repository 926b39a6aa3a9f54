"""What a person sees on standard error while a run goes on: a live line on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from rich.live import Live

    from headrace.experiment.planning import PlannedCase

_REFRESH_S = 0.1
_RATE_WINDOW_S = 0.5


class Counts(Protocol):
    """What has been counted so far in a case. Never changes; the next one is a new object."""

    def running(self) -> Mapping[str, int]:
        """Counters by name whose rates are worth a look."""
        ...

    def finished(self) -> int:
        """How much of the case's total is finished."""
        ...

    def aside(self) -> str:
        """What else stands in the live line: ``backlog 12``."""
        ...

    def __str__(self) -> str:
        """The final counts in words."""
        ...


class Progress:
    """Says nothing; the base of what does.

    ``begin()`` before each case, ``update()`` often while it runs, ``end()`` after it, with the problems met.
    """

    def begin(self, case: PlannedCase, number: int, of: int) -> None: ...

    def update(self, elapsed: float, counts: Counts) -> None: ...

    def end(self, elapsed: float, counts: Counts, problems: list[str]) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Lines(Progress):
    """One line when a case begins and one when it ends."""

    def begin(self, case: PlannedCase, number: int, of: int) -> None:
        self._label = label(case, number, of)
        self._say(f"{self._label}: {case.settings.describe()}")

    def end(self, elapsed: float, counts: Counts, problems: list[str]) -> None:
        self._say(f"{self._label}: {elapsed:.1f} s, {counts}")
        for problem in problems:
            self._say(f"{self._label}: {problem}")

    @staticmethod
    def _say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class LiveLine(Lines):
    """A line that is kept up to date in place."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._total = 0
        self._shown_at = 0.0
        self._past: list[tuple[float, Counts]] = []

    def begin(self, case: PlannedCase, number: int, of: int) -> None:
        from rich.console import Console
        from rich.live import Live

        super().begin(case, number, of)
        self._total, self._past, self._shown_at = case.settings.total, [], 0.0
        # No refresh thread: the runner's own loop draws, and nothing else takes the interpreter lock.
        self._live = Live("", console=Console(stderr=True), auto_refresh=False, transient=True)
        self._live.start()

    def update(self, elapsed: float, counts: Counts) -> None:
        from rich.text import Text

        now = time.monotonic()
        if self._live is None or now - self._shown_at < _REFRESH_S:
            return
        self._shown_at = now
        self._past = [*(p for p in self._past if elapsed - p[0] <= 2 * _RATE_WINDOW_S), (elapsed, counts)]
        self._live.update(Text(self._text(elapsed, counts), no_wrap=True, overflow="ellipsis"), refresh=True)

    def end(self, elapsed: float, counts: Counts, problems: list[str]) -> None:
        self._stop()
        super().end(elapsed, counts, problems)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _text(self, elapsed: float, counts: Counts) -> str:
        then, earlier = self._past[0]
        span = max(elapsed - then, 1e-9)
        before = earlier.running()
        rates = [f"{name} {(now - before[name]) / span:,.0f}/s" for name, now in counts.running().items()]
        share = counts.finished() / self._total if self._total else 0.0
        return f"{self._label}  {elapsed:6.1f} s  {min(share, 1.0):4.0%}  {'  '.join(rates)}  {counts.aside()}"


def label(case: PlannedCase, number: int, of: int) -> str:
    """``(2/10) shape-1-1 #2``: where we are and which case this is."""
    turn = f" #{case.repeat}" if case.repeat > 1 else ""
    return f"({number}/{of}) {case.name}{turn}" if of > 1 else f"{case.name}{turn}"


def for_terminal(wanted: bool | None) -> Progress:
    """Live on a terminal, lines elsewhere, nothing when ``wanted`` is False."""
    if wanted is False:
        return Progress()
    return LiveLine() if sys.stderr.isatty() else Lines()
