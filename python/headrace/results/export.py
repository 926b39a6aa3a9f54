"""CSV exports of a case: the processor's four files, and what the seed's programs would have printed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from headrace.errors import IoError
from headrace.results import atomic
from headrace.results.samples import MEMORY_LIMIT, Joined


def write_case(path: Path, entry: dict[str, Any], joined: Joined, anchor: dict[str, int]) -> None:
    """``exports/<case>/``: latencies.csv, throughput.csv, summary.csv, problems.csv, producers.csv,
    consumers.csv.

    The last two are in the seed's format, epoch seconds with nine digits behind the point. Raises IoError.
    """
    from headrace._core import ledger as native

    if not joined.inputs or joined.counts.sent + joined.counts.received == 0:
        return
    folder = path / "exports" / Path(entry["folder"]).name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic.io_error("make", folder, error) from error
    sent, received = [str(p) for p in joined.inputs.sent], [str(p) for p in joined.inputs.received]
    native.process(sent, received, str(folder), memory_limit=MEMORY_LIMIT, threads=0)
    shift = anchor["epoch_ns"] - anchor["monotonic_ns"]
    _write(folder / "producers.csv", _producers(joined.table), ("id", "sent", "acked"), shift)
    _write(folder / "consumers.csv", _consumers(joined.table), ("id", "received", "receive_acked"), shift)


def _producers(table: pa.Table) -> pa.Table:
    first = pc.and_(pc.less_equal(table["attempt"], 1), pc.is_valid(table["sent"]))
    return table.filter(first)


def _consumers(table: pa.Table) -> pa.Table:
    return table.filter(pc.is_valid(table["received"])).sort_by("received")


def _write(path: Path, table: pa.Table, columns: tuple[str, ...], shift_ns: int) -> None:
    out = pa.table({n: table[n] if n == "id" else epoch_seconds(table[n], shift_ns) for n in columns})
    odd = pc.any(pc.match_substring_regex(out["id"], '[",\\r\\n]')).as_py()
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed" if odd else "none")
    try:
        with atomic.replacing(path) as temporary:
            pyarrow.csv.write_csv(out, temporary, options)
    except pa.ArrowException as error:
        raise IoError(f"cannot write {path}: {error}") from error


def epoch_seconds(stamps: pa.ChunkedArray, shift_ns: int) -> pa.ChunkedArray:
    """int64 ns shifted to the epoch, as exact decimal seconds with nine digits behind the point."""
    shifted = pc.add_checked(stamps, pa.scalar(shift_ns, pa.int64()))
    return pc.multiply(shifted.cast(pa.decimal128(19, 0)), pa.scalar(Decimal("0.000000001"), pa.decimal128(10, 9)))
