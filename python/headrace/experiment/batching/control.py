"""What a workload and its surroundings tell each other while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from headrace.results.recording import Recording


@dataclass
class Control:
    """Passed to ``Workload.run``. Threads: the workload writes, one other thread looks now and then."""

    recording: Recording = field(default_factory=Recording)
    #: Counters so far, for the live line: started, done, failed. Replaced as a whole, never changed.
    counts: dict[str, int] = field(default_factory=dict)
    #: Columns of the part's own in the series; asked twice a second.
    gauges: Callable[[], dict[str, Any]] = dict


class Workload(Protocol):
    """One thing to do with a batcher. Leaving the block ends what it started.

    ``run`` fills ``control.recording`` and returns; KeyboardInterrupt tells it to stop early.
    """

    def __enter__(self) -> Self: ...

    def run(self, control: Control) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
