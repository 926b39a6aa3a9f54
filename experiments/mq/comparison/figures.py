"""What a contender wrote, read into the same few figures whoever it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv

from headrace.experiment.side_by_side.child import RunFailed


@dataclass(frozen=True)
class Figures:
    """The same for all: epoch seconds of the first message's start and of the last acknowledgement."""

    messages: int
    begin: float
    end: float
    p50_us: float | None
    p99_us: float | None

    @property
    def rate(self) -> float:
        return self.messages / (self.end - self.begin)


def figures_from_csv(path: Path) -> Figures:
    """Read ``id,first,second`` rows of epoch seconds, with or without a header row."""
    with open(path, "rb") as f:
        has_header = not f.readline().rstrip().rpartition(b",")[2].replace(b".", b"").isdigit()
    names = ["id", "first", "second"]
    table: Any = pyarrow.csv.read_csv(
        path,
        pyarrow.csv.ReadOptions(column_names=names, skip_rows=1 if has_header else 0),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=names[1:], column_types={"first": "float64", "second": "float64"}
        ),
    )
    if table.num_rows == 0:
        raise RunFailed(f"{path.name} holds no rows")
    first, second = table["first"].to_numpy(), table["second"].to_numpy()
    p50, p99 = np.percentile((second - first) * 1e6, [50, 99])
    return Figures(table.num_rows, float(first.min()), float(second.max()), float(p50), float(p99))


def figures_from_summary(path: Path) -> Figures:
    """Read the JSON line of a C program."""
    line = json.loads(path.read_text())
    return Figures(line["messages"], line["begin"], line["end"], line["p50_us"], line["p99_us"])
