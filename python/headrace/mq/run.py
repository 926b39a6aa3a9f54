"""`produce` and `consume`: run one program to its end and say what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from headrace._csv import CsvTarget, csv_descriptor
from headrace.errors import InvalidArgument
from headrace.measure import Histogram
from headrace.mq.programs import ConsumeProgram, ProduceProgram, _Program


@dataclass(frozen=True)
class ProgramResult:
    """What a program did.

    Attributes:
        kind: "produce" or "consume".
        messages: acknowledged messages (produce), received and acknowledged ones (consume).
        seconds: from the first send or receipt to the last acknowledgement.
        rate: messages per second over that time; 0 when there was at most one moment.
        service: histogram of ns from sent to acked, or from received to acked.
        response: histogram of ns from intended to acked; empty in a closed loop.
        lateness: histogram of ns from intended to sent; empty in a closed loop.
        stats: every counter (`ProduceProgram.stats`).
    """

    kind: Literal["produce", "consume"]
    messages: int
    seconds: float
    rate: float
    service: Histogram
    response: Histogram
    lateness: Histogram
    stats: dict[str, int]

    def summary(self) -> str:
        """One line for people: messages, rate, latency percentiles in ms, client CPU per message."""
        done = "acknowledged" if self.kind == "produce" else "received and acknowledged"
        p50, p99 = (self.service.percentile(p) / 1e6 for p in (50, 99))
        cpu = self.stats["cpu_ns"] / 1e3 / max(self.messages, 1)
        extra = [f"{self.stats[key]} {key}" for key in ("failed", "resent", "redelivered", "duplicates", "reconnects")]
        notes = ", ".join(text for text in extra if not text.startswith("0 "))
        return (
            f"{self.messages} messages {done} in {self.seconds:.3f} s: {self.rate:.0f}/s, "
            f"p50 {p50:.3f} ms, p99 {p99:.3f} ms, {cpu:.2f} us of client CPU a message"
            + (f" ({notes})" if notes else "")
        )


def _run(program: _Program, kind: Literal["produce", "consume"]) -> ProgramResult:
    with program:
        program.connect()
        program.start()
        try:
            while not program.wait(3600):
                pass
        except KeyboardInterrupt:
            program.stop()
            program.wait(1)
            raise
    stats = program.stats()
    histograms = {name: Histogram.from_bytes(data) for name, data in program.histograms().items()}
    messages = stats["acked"] if kind == "produce" else stats["receive_acked"]
    seconds = max(stats["last_ns"] - stats["first_ns"], 0) / 1e9
    return ProgramResult(
        kind=kind,
        messages=messages,
        seconds=seconds,
        rate=messages / seconds if seconds > 0 else 0.0,
        service=histograms["service"],
        response=histograms["response"],
        lateness=histograms["lateness"],
        stats=stats,
    )


def produce(*, csv: CsvTarget = None, **options: Any) -> ProgramResult:
    """Send messages and wait for their acknowledgements; the seed's producer program.

    Args:
        csv: where ``id,sent,acked`` rows go (epoch seconds with a fraction): an open file, a descriptor or a path.
        options: those of `ProduceProgram`.

    Raises what `ProduceProgram.connect` and `close` raise. On Ctrl-C, rows written so far are whole.
    """
    _refuse(options, "csv_fd")
    with csv_descriptor(csv) as descriptor:
        return _run(ProduceProgram(csv_fd=descriptor, **options), "produce")


def consume(*, csv: CsvTarget = None, **options: Any) -> ProgramResult:
    """Receive and acknowledge messages; the seed's consumer program.

    Args:
        csv: where ``id,received,acked`` rows go (epoch seconds with a fraction), as for `produce`.
        options: those of `ConsumeProgram`.

    Raises what `ConsumeProgram.connect` and `close` raise; DeadlineExceeded when ``count`` messages did not come.
    """
    _refuse(options, "csv_fd")
    with csv_descriptor(csv) as descriptor:
        return _run(ConsumeProgram(csv_fd=descriptor, **options), "consume")


def _refuse(options: dict[str, Any], name: str) -> None:
    if name in options:
        raise InvalidArgument(f"{name} is chosen by csv=...")
