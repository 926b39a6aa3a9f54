"""The settings of a batching case: which keys there are, what they mean, what they may be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from headrace.errors import InvalidArgument
from headrace.experiment.checks import Check, choice, nonempty, number, whole

#: workload -> what it does, in a few words.
WORKLOADS: Final = {
    "pool": "calls of a function that answers batches",
    "deps": "a tree of units, each sleeping after those it depends on",
    "redis": "concurrent GETs on a private redis-server",
    "sqlite": "concurrent lookups in an SQLite file",
    "open-loop": "one task per request, on a schedule that does not wait",
    "steps": "the same with a load that goes up and down",
    "limited": "calls of a downstream that counts what exceeds its limit",
}
#: How an item reaches the batcher, or does without one.
CALLS: Final = ("await", "map", "threads", "item")


def parse_steps(value: str) -> list[tuple[float, float]]:
    """``"500:2, 4000:3"``: (requests/s, seconds) of each step of a load. Raises InvalidArgument."""
    steps = []
    for part in value.split(","):
        rate, _, seconds = part.partition(":")
        try:
            steps.append((float(rate), float(seconds)))
        except ValueError:
            raise InvalidArgument(f"must be RATE:SECONDS, RATE:SECONDS, ..., not {value!r}") from None
        if not (0 < steps[-1][0] < 1e9 and 0 < steps[-1][1] < 1e6):
            raise InvalidArgument(f"must have rates and seconds above 0, not {part.strip()!r}")
    return steps


def _steps(value: Any) -> str:
    parse_steps(nonempty(value))
    return str(value)


#: key -> its check. The defaults and the meanings are those of ``BatchingCase``.
KEYS: dict[str, Check] = {
    "workload": choice(*WORKLOADS),
    "call": choice(*CALLS),
    "function": choice("native", "python", "async"),
    "items": whole(1),
    "callers": whole(1, 100_000),
    "rate": number(0, above=True),
    "seconds": number(0, above=True),
    "steps": _steps,
    "max_batch_size": whole(1),
    "batch_wait_timeout_s": number(0),
    "min_concurrent_batches": whole(1, 10_000),
    "max_concurrent_batches": whole(1, 10_000),
    "max_queue_size": whole(1),
    "on_full": choice("wait", "reject", "drop_oldest"),
    "rate_limit": number(0),
    "burst": whole(1),
    "service_s": number(0),
    "item_s": number(0),
    "keys": whole(1),
    "levels": whole(1, 20),
    "branches": whole(1, 1000),
    "unit_s": number(0),
    "loop": choice("asyncio", "uvloop"),
    "timeout": number(0, above=True),
}


@dataclass(frozen=True)
class BatchingCase:
    """One case with every sweep resolved. Durations are seconds, rates per second."""

    workload: str = "pool"
    call: str = "await"  #: how an item is called; "item": each by itself, without a batcher
    function: str = "python"  #: what answers a batch: native code, a Python function, or a coroutine function
    items: int = 10_000  #: of workloads that do not go by a schedule
    callers: int = 64  #: coroutines or threads that each wait for their item before they start the next
    rate: float = 50_000.0  #: "open-loop": requests per second
    seconds: float = 3.0  #: how long a schedule lasts
    steps: str = "500:2, 4000:3, 500:2"  #: "steps": requests per second : seconds, one after the other
    max_batch_size: int = 100
    batch_wait_timeout_s: float = 0.0  #: the window, counted from the first waiting item; 0: natural batching
    min_concurrent_batches: int = 0  #: below the maximum: the limit adapts; 0: as ``max_concurrent_batches``
    max_concurrent_batches: int = 1
    max_queue_size: int = 100_000
    on_full: str = "wait"
    rate_limit: float = 0.0  #: batches per second; 0: no limit
    burst: int = 1  #: batches that may go at once after a pause
    service_s: float = 0.0  #: what a call of the downstream takes
    item_s: float = 0.0  #: and what each item in it takes on top
    keys: int = 0  #: different keys; equal keys in flight share a call; 0: every item has its own, no dedupe
    levels: int = 4  #: "deps": depth of the tree below its root
    branches: int = 10  #: and units that each unit depends on
    unit_s: float = 0.001  #: and what each unit sleeps
    loop: str = "asyncio"
    timeout: float = 120.0  #: of the whole case; then it has failed

    def __post_init__(self) -> None:
        if self.min_concurrent_batches == 0:
            object.__setattr__(self, "min_concurrent_batches", self.max_concurrent_batches)
        if self.min_concurrent_batches > self.max_concurrent_batches:
            least, most = self.min_concurrent_batches, self.max_concurrent_batches
            raise InvalidArgument(f"min_concurrent_batches ({least}) is above max_concurrent_batches ({most})")
        if self.workload == "deps" and self.total > 1_000_000:
            raise InvalidArgument(f"{self.branches} branches on {self.levels} levels are {self.total:,} units")

    @property
    def total(self) -> int:
        """Items that are started."""
        if self.workload == "deps":
            return sum(self.branches**level for level in range(self.levels + 1))
        if self.workload == "open-loop":
            return round(self.rate * self.seconds)
        if self.workload == "steps":
            return sum(round(rate * seconds) for rate, seconds in parse_steps(self.steps))
        return self.items

    @property
    def asked_rate(self) -> float | None:
        """Of a schedule that does not wait; for steps the mean."""
        if self.workload == "open-loop":
            return self.rate
        if self.workload == "steps":
            return self.total / sum(seconds for _, seconds in parse_steps(self.steps))
        return None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        return f"{self.total:,} items, {WORKLOADS[self.workload]}"
