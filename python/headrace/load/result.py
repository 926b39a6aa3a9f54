"""What a load found: counts, histograms, a verdict, and the ways to look at them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from headrace.errors import NotFound
from headrace.load import text
from headrace.load.judgement import judge
from headrace.load.thresholds import Threshold
from headrace.measure import Histogram
from headrace.results.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99)


@dataclass(frozen=True)
class ThreadUse:
    """What one thread of the generator spent, in seconds; ``queued_s`` is NaN where the kernel does not tell it."""

    cpu_s: float
    queued_s: float
    ran_s: float

    @property
    def cpu_share(self) -> float:
        """Of the time, with a core."""
        return self.cpu_s / self.ran_s if self.ran_s else 0.0

    @property
    def queued_share(self) -> float:
        """Of the time, ready to run and waiting for a core."""
        return self.queued_s / self.ran_s if self.ran_s and self.queued_s == self.queued_s else 0.0

    @property
    def busy_share(self) -> float:
        """Of the time, not waiting for the server."""
        return self.cpu_share + self.queued_share


@dataclass(frozen=True)
class LoadResult:
    """A finished load. Percentiles are over requests that were meant to start within the measured time.

    Attributes:
        urls: what was asked for.
        counts: every counter of the generator. ``ok`` and ``failed`` ended within the measured time, ``late_ok`` and
            ``late_failed`` after it, ``unfinished`` never; ``unsent`` were due and never sent (open loop).
        outcomes: requests by how they ended: ok, bad_status, timed_out, refused, ...
        samples: of each kind of failure the first one, in words.
        response: histogram of ns from the intended time to the end, of successes and, with the time they had waited, of
            requests that timed out, never ended or were never sent.
        service: the same from the time a request was sent (for a new connection: began to connect).
        connect: ns to make a connection, TLS included.
        lateness: ns from the intended to the real time of sending where a connection was free: the generator's delay.
        seconds: (ok, failed, bytes, longest response in ns) of each second.
        threads: what each thread of the generator spent.
        elapsed_s: measured time in seconds.
        interrupted: stopped before its end (Ctrl-C).
        users, rate_asked, count, think_s, ramp_s, warm_up_s: the settings that the figures depend on.
        rules: that ``fail_if`` set.
        csv: where the rows are, if they were asked for.
    """

    urls: tuple[str, ...]
    counts: dict[str, int]
    outcomes: dict[str, int]
    samples: dict[str, str]
    response: Histogram
    service: Histogram
    connect: Histogram
    lateness: Histogram
    seconds: tuple[tuple[int, int, int, int], ...]
    threads: tuple[ThreadUse, ...]
    addresses: tuple[str, ...]
    elapsed_s: float
    interrupted: bool
    users: int
    rate_asked: float = 0.0
    count: int | None = None
    think_s: tuple[float, float] = (0.0, 0.0)
    ramp_s: float = 0.0
    warm_up_s: float = 0.0
    rules: tuple[Threshold, ...] = ()
    csv: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def transactions(self) -> int:
        """Requests that succeeded within the measured time."""
        return self.counts["ok"]

    @property
    def failed(self) -> int:
        """Requests that failed within the measured time or after it; those that never ended are `unfinished`."""
        return self.counts["failed"] + self.counts["late_failed"]

    @property
    def unfinished(self) -> int:
        """Requests that had no answer when the generator stopped waiting."""
        return self.counts["unfinished"]

    @property
    def unsent(self) -> int:
        """Open loop: requests that were due and never sent."""
        return self.counts["unsent"]

    @property
    def in_flight_at_end(self) -> int:
        """Requests under way when the measured time ended, whatever became of them."""
        return self.counts["late_ok"] + self.counts["late_failed"] + self.counts["unfinished"]

    @property
    def requests(self) -> int:
        """All that ended, never ended or were never sent, without the warm-up."""
        return self.counts["ok"] + self.counts["failed"] + self.in_flight_at_end + self.counts["unsent"]

    @property
    def availability(self) -> float:
        """Per cent of the requests that succeeded; one that an interruption cut off counts as neither."""
        answered = self.counts["ok"] + self.counts["late_ok"]
        lost = self.failed + self.unsent + (0 if self.interrupted else self.unfinished)
        return 100 * answered / max(answered + lost, 1)

    @property
    def rate(self) -> float:
        """Transactions per second of the measured time."""
        return self.transactions / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def concurrency(self) -> float:
        """Requests in flight, averaged over the measured time."""
        return self.counts["busy_ns"] / 1e9 / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def cpu_us_per_request(self) -> float:
        """What a request cost the generator, in us of CPU."""
        done = self.requests + self.counts["warm_up"] - self.counts["unsent"]
        return sum(t.cpu_s for t in self.threads) * 1e6 / max(done, 1)

    def percentile(self, p: float) -> float:
        """Response time in ms that ``p`` per cent of the requests did not exceed; 0 when there are none."""
        return self.response.percentile(p) / 1e6

    def percentiles(self) -> dict[float, float]:
        """Response time in ms by percentile: 50, 75, 90, 95, 99, 99.9, 99.99."""
        values = self.response.percentiles(list(PERCENTILES))
        return {p: v / 1e6 for p, v in zip(PERCENTILES, values, strict=True)}

    @cached_property
    def judgement(self) -> Verdict:
        """The verdict with its reasons and notes."""
        return judge(self)

    @property
    def verdict(self) -> str:
        """``valid``, ``generator-limited``, ``invalid`` (the server cannot keep up with the rate) or ``failed``."""
        return self.judgement.verdict

    @property
    def exit_code(self) -> int:
        """0 valid, 1 failed, 3 invalid or generator-limited, 130 interrupted; a broken rule counts even then."""
        if self.interrupted and self.verdict != "failed":
            return 130
        return self.judgement.exit_code

    def summary(self) -> str:
        """siege's block with its labels and units, then percentiles, failures, the generator's cost, the verdict."""
        return text.summary(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the histograms' slots, for JSON. Units stand in the names."""
        return text.as_data(self)

    def frame(self) -> pd.DataFrame:
        """One row: the figures of `summary`, units in the names."""
        import pandas as pd

        return pd.DataFrame([text.figures(self)])

    def series(self) -> pd.DataFrame:
        """A row per second: ``second``, ``ok``, ``failed``, ``bytes``, ``longest_ms``."""
        import pandas as pd

        found = pd.DataFrame(list(self.seconds), columns=["ok", "failed", "bytes", "longest_ms"])
        found["longest_ms"] = found["longest_ms"] / 1e6
        found.insert(0, "second", range(len(found)))
        return found

    def histogram(self) -> pd.DataFrame:
        """Response times as counted: ``from_ms``, ``to_ms`` (not included), ``count``; empty slots are left out."""
        import numpy as np
        import pandas as pd

        counts, bounds = np.asarray(self.response.counts), np.asarray(Histogram.bounds)
        (used,) = np.nonzero(counts)
        return pd.DataFrame(
            {"from_ms": bounds[used] / 1e6, "to_ms": bounds[used + 1] / 1e6, "count": counts[used].astype(np.int64)}
        )

    def rows(self) -> pd.DataFrame:
        """A row per request, as the ``csv=`` file has them. Raises NotFound when there is none."""
        import pandas as pd

        if self.csv is None:
            raise NotFound("the requests were not recorded one by one; ask for them with csv='requests.csv'")
        return pd.read_csv(self.csv)

    def __repr__(self) -> str:
        return (
            f"<LoadResult {self.verdict}: {self.transactions} transactions, {self.rate:,.1f}/s, "
            f"p50 {self.percentile(50):.3g} ms, p99 {self.percentile(99):.3g} ms, {self.failed} failed>"
        )

    def _repr_html_(self) -> str:
        return text.as_html(self)
