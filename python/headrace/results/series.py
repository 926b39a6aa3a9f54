"""The time series of a run: from the lines that the runner appended, or derived from the samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from headrace.results import atomic, metrics
from headrace.results.schema import SERIES

_TYPES = {"string": pa.string(), "double": pa.float64(), "int32": pa.int32()}
SCHEMA = pa.schema([pa.field(c.name, _TYPES[c.type]) for c in SERIES])


def read_lines(path: Path) -> pa.Table:
    """series.jsonl as a table of schema.SERIES plus whatever other columns it has. A torn last line is
    dropped."""
    rows: list[dict[str, Any]] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                rows.append(row)
    names = dict.fromkeys([*SCHEMA.names, *(name for row in rows for name in row)])
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if name in SCHEMA.names:
            columns[name] = pa.array(_fitting(values, SCHEMA.field(name).type), SCHEMA.field(name).type)
        else:
            columns[name] = _loose(values)
    return pa.table(columns)


def _fitting(values: list[Any], kind: pa.DataType) -> list[Any]:
    if pa.types.is_string(kind):
        return [None if v is None else str(v) for v in values]
    cast = int if pa.types.is_integer(kind) else float
    return [cast(v) if isinstance(v, int | float) else None for v in values]


def _loose(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except pa.ArrowException:
        return pa.array([None if v is None else json.dumps(v) for v in values], pa.string())


def derive(table: pa.Table) -> pa.Table:
    """Per second of one case's samples: sent, acked, received and backlog; for cases that no runner
    watched."""
    times = metrics.Times.of(table)
    origin = times.origin()
    if origin is None:
        return SCHEMA.empty_table()
    stamps = {name: times.stamps(name) - origin for name in ("sent", "acked", "received")}
    last = max(int(s.max()) for s in stamps.values() if len(s))
    seconds = last // 1_000_000_000 + 1
    rates = {
        name: np.bincount(s[s >= 0] // 1_000_000_000, minlength=seconds).astype(float) for name, s in stamps.items()
    }
    columns: dict[str, Any] = {
        "case": [table["case"][0].as_py()] * seconds,
        "repeat": [table["repeat"][0].as_py()] * seconds,
        "second": np.arange(1, seconds + 1, dtype=float),
        **rates,
        "backlog": np.cumsum(rates["acked"]) - np.cumsum(rates["received"]),
    }
    return pa.table(
        [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(seconds, f.type) for f in SCHEMA],
        schema=SCHEMA,
    )


def merge(watched: pa.Table, derived: Sequence[pa.Table]) -> pa.Table:
    """What the runner appended, and the derived rows of the cases for which it appended nothing."""
    seen = set(zip(watched["case"].to_pylist(), watched["repeat"].to_pylist(), strict=True))
    rest = [t for t in derived if len(t) and (t["case"][0].as_py(), t["repeat"][0].as_py()) not in seen]
    return pa.concat_tables([watched, *rest], promote_options="permissive")


def store(path: Path, table: pa.Table) -> None:
    """Writes series.parquet and then drops the lines it was made of. Raises IoError."""
    with atomic.replacing(path / "series.parquet") as temporary:
        pq.write_table(table, temporary, compression="zstd")
    (path / "series.jsonl").unlink(missing_ok=True)
