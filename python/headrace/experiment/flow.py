"""When is a case over? A pure state machine: no clock, process or broker in this file.

The runner feeds it what the programs count and what the time is; it answers with what to do next.

    running -> draining (all producers are done) -> stopping (consumers were told) -> over
       \\____ failing (producers were told to stop; a moment later, consumers) ____/

Consumers cannot know when to stop: the same message may come twice, so that "as many receipts as acknowledged
sends" may be reached while a message is still missing. The flow must also have been quiet for a while, and
the broker, if it can say so, must have nothing left for the group.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Step(Enum):
    """What the runner has to do now."""

    WAIT = "wait"  #: nothing
    ASK_BROKER = "ask broker"  #: find out what the group has left, then call on_backlog()
    STOP_PRODUCERS = "stop producers"  #: once
    STOP_CONSUMERS = "stop consumers"  #: once
    STOP_ALL = "stop all"  #: once
    KILL = "kill"  #: those that did not stop in time
    OVER = "over"  #: everybody is done


@dataclass(frozen=True)
class Totals:
    """Sums over all programs of a case, as they last reported them."""

    sent: int = 0
    acked: int = 0
    failed: int = 0
    received: int = 0
    receive_acked: int = 0
    redelivered: int = 0

    def running(self) -> dict[str, int]:
        return {"sent": self.sent, "acked": self.acked, "received": self.received}

    def finished(self) -> int:
        return self.receive_acked

    def aside(self) -> str:
        backlog = max(0, self.acked - self.received)
        return f"backlog {backlog:,}" + (f"  errors {self.failed:,}" if self.failed else "")

    def __str__(self) -> str:
        text = f"{self.sent:,} sent, {self.acked:,} acknowledged, {self.received:,} received"
        return text + (f", {self.failed:,} failed" if self.failed else "")


@dataclass
class FlowOptions:
    """Durations in seconds."""

    timeout: float  #: from the start to the end of the case; then it has failed
    quiet: float = 0.2  #: without a change, before a complete count is believed
    stall: float = 5.0  #: without a change, before an incomplete count is believed, if the broker has nothing left
    silence: float = 40.0  #: the same if the broker cannot say; longer than consumers wait to take over from the dead
    settle: float = 0.1  #: without a change, before a failing case that is complete is ended
    stop_grace: float = 5.0  #: for programs to finish once told to; half of it is for consumers to catch up
    interrupt_grace: float = 1.0  #: the same after Ctrl-C


@dataclass
class CaseFlow:
    """Call ``begin()``, then ``step()`` every few milliseconds, and do what it says. Times are in seconds.

    ``failures`` collects the reasons for which the case has failed, as sentences.
    """

    options: FlowOptions
    started: float = 0.0
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._totals = Totals()
        self._changed = self.started
        self._asked: float | None = None
        self._stopping_since: float | None = None
        self._failing = False
        self._told_all = False
        self._wanted: Step | None = None
        self._grace = self.options.stop_grace
        self._killed = False

    def begin(self, at: float) -> None:
        """The programs start at time ``at``."""
        self.started = self._changed = at

    def fail(self, now: float, reason: str) -> None:
        """Something went wrong: the case is stopped and has failed for ``reason``."""
        self.failures.append(reason)
        self._stop_all(now, self.options.stop_grace)

    def interrupt(self, now: float) -> None:
        """Ctrl-C: as fail(), in a hurry."""
        self.failures.append("interrupted")
        self._stop_all(now, self.options.interrupt_grace)

    def on_backlog(self, now: float, backlog: int | None) -> None:
        """The answer to ASK_BROKER: entries that the group has left, or None when the broker cannot say."""
        self._asked = now
        if backlog is None:
            enough = self._complete() or now - self._changed >= self.options.silence
        else:
            enough = backlog == 0 and (self._complete() or now - self._changed >= self.options.stall)
        if enough and self._stopping_since is None:
            self._stopping_since = now
            self._wanted = Step.STOP_CONSUMERS

    def step(self, now: float, totals: Totals, *, producers_done: bool, consumers_done: bool) -> Step:
        """What to do, given the counts and who has finished."""
        if totals != self._totals:
            self._totals, self._changed, self._asked = totals, now, None
        if producers_done and consumers_done:
            return Step.OVER
        if self._stopping_since is None and now - self.started >= self.options.timeout:
            self.fail(now, self._timeout_text())
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            return wanted
        if self._stopping_since is not None:
            return self._stopping(now, producers_done)
        return Step.ASK_BROKER if producers_done and self._may_ask(now) else Step.WAIT

    def _may_ask(self, now: float) -> bool:
        quiet_since = self._changed if self._asked is None else self._asked
        return now - quiet_since >= self.options.quiet

    def _complete(self) -> bool:
        t = self._totals
        return t.receive_acked >= t.acked and t.receive_acked >= t.received

    def _stopping(self, now: float, producers_done: bool) -> Step:
        assert self._stopping_since is not None
        if self._failing and not self._told_all:
            settled = producers_done and self._complete() and now - self._changed >= self.options.settle
            if settled or now - self._stopping_since >= self._grace / 2:
                self._told_all = True
                return Step.STOP_ALL
        if self._killed or now - self._stopping_since < self._grace:
            return Step.WAIT
        self._killed = True
        self.failures.append(f"a program did not stop within {self._grace:g} s and was killed")
        return Step.KILL

    def _stop_all(self, now: float, grace: float) -> None:
        if not self._failing:
            self._failing = True
            self._stopping_since = now
            self._wanted = Step.STOP_PRODUCERS
            self._grace = grace
        self._grace = min(self._grace, grace)

    def _timeout_text(self) -> str:
        t = self._totals
        counts = f"{t.sent:,} messages sent, {t.acked:,} acknowledged, {t.received:,} received"
        return f"timed out after {self.options.timeout:g} s with {counts}"
