"""Small run folders for tests: exact, made-up messages, recorded as the seed's CSVs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.results import CaseFacts, RunFolder
from headrace.results.folder import CaseFolder

MS = 1_000_000


@dataclass(frozen=True)
class Message:
    """Offsets in ns from the start of the case; None never happened."""

    id: str
    sent: int
    acked: int | None
    received: tuple[int, ...] = ()


def steady(count: int, *, every_ms: float = 1.0, send_ms: float = 0.4, processing_ms: float = 0.5) -> list[Message]:
    """``count`` messages at a fixed pace, each with the same durations."""
    out = []
    for i in range(count):
        at = int(i * every_ms * MS)
        out.append(Message(f"p-{i}", at, at + int(send_ms * MS), (at + int(processing_ms * MS),)))
    return out


def write_csvs(folder: Path, messages: Iterable[Message], start_ns: int, number: int = 0) -> None:
    """``sent-<number>.csv`` and ``received-<number>.csv`` in ``folder``."""
    sent, received = [], []
    for m in messages:
        acked = "" if m.acked is None else seconds(start_ns + m.acked)
        sent.append(f"{m.id},{seconds(start_ns + m.sent)},{acked}\n")
        received += [f"{m.id},{seconds(start_ns + r)},{seconds(start_ns + r + 1000)}\n" for r in m.received]
    (folder / f"sent-{number}.csv").write_text("".join(sent))
    (folder / f"received-{number}.csv").write_text("".join(received))


def seconds(ns: int) -> str:
    return f"{ns // 10**9}.{ns % 10**9:09d}"


def record(run: RunFolder, case: CaseFolder, messages: Iterable[Message]) -> None:
    write_csvs(case.segments, messages, run.anchor[1] + 1_000 * MS)


def make_run(
    out: Path,
    cases: dict[str, Callable[[int], list[Message]]],
    *,
    repeats: int = 1,
    facts: CaseFacts | None = None,
    name: str = "test run",
    report: bool = False,
    **spec: Any,
) -> Path:
    """A finished run: each case is a function from the repeat number to its messages."""
    run = RunFolder.create(out, name=name, spec=spec, seed=1)
    for case_name, messages in cases.items():
        for repeat in range(1, repeats + 1):
            case = run.start_case(case_name, {"producers": 1}, repeat=repeat)
            record(run, case, messages(repeat))
            case.finish(facts)
    run.close(report=report)
    return run.path
