"""The columns of the table, and everything that was measured as JSON."""

from __future__ import annotations

import dataclasses

from comparison.bench import Sample
from comparison.settings import Group
from headrace.experiment.side_by_side.bars import Verdict
from headrace.experiment.side_by_side.tables import Shown

Samples = dict[str, list[Sample]]  # contender -> one sample per round

COLUMNS = (
    Shown("messages/s", "rate", "{:,.0f}"),
    Shown("program/s", "program_rate", "{:,.0f}"),
    Shown("p50 us", "p50_us", "{:,.1f}"),
    Shown("p99 us", "p99_us", "{:,.1f}"),
    Shown("client us/msg", "cpu_us", "{:.2f}"),
    Shown("with start-up", "whole_cpu_us", "{:.2f}"),
    Shown("server us/msg", "server_cpu_us", "{:.2f}"),
    Shown("writes/1000", "server_writes", "{:.1f}"),
)


def as_json(group: Group, samples: Samples, verdicts: list[Verdict]) -> dict[str, object]:
    """Everything that was measured for one group."""
    return {
        "group": dataclasses.asdict(group),
        "samples": {name: [dataclasses.asdict(s) for s in runs] for name, runs in samples.items()},
        "bars": [dataclasses.asdict(v) for v in verdicts],
    }
