"""From what producers and consumers recorded to one tidy table: the ledger's join, in Arrow and pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.errors import NotFound
from headrace.results.schema import SAMPLES
from headrace.results.verdict import Counts

if TYPE_CHECKING:
    import pandas as pd

#: What the native side writes for a time that never happened.
ABSENT = np.iinfo(np.int64).min
#: Memory for the join, bytes; beyond it the ledger works out of core.
MEMORY_LIMIT = 2 << 30

_TYPES = {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "bool": pa.bool_()}
SCHEMA = pa.schema([pa.field(c.name, _TYPES[c.type]) for c in SAMPLES])
_TIMES = ("intended", "sent", "acked", "received", "receive_acked")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files of one case: what producers wrote and what consumers wrote, segments or CSVs."""

    sent_csv: tuple[Path, ...] = ()
    received_csv: tuple[Path, ...] = ()
    sent_segments: tuple[Path, ...] = ()
    received_segments: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sent_csv or self.received_csv or self.sent_segments or self.received_segments)

    @classmethod
    def find(cls, folder: Path) -> Inputs:
        """What lies in the segment folder of a case: ``sent*`` and ``received*``, ending in ``.seg`` or
        ``.csv``."""

        def named(pattern: str) -> tuple[Path, ...]:
            return tuple(sorted(p for p in folder.glob(pattern) if p.is_file()))

        return cls(named("sent*.csv"), named("received*.csv"), named("sent*.seg"), named("received*.seg"))


@dataclass(frozen=True, slots=True)
class Joined:
    """One case after the join: its counts and its samples (schema.SAMPLES), and the ledger's result for
    exports."""

    counts: Counts
    table: pa.Table = field(repr=False)
    ledger: Any = field(default=None, repr=False)


def join(inputs: Inputs, *, case: str, repeat: int = 1) -> Joined:
    """Joins what was sent with what was received, by id.

    Raises NotFound for a file that is not there, IoError for one that cannot be read.
    """
    for path in (*inputs.sent_csv, *inputs.received_csv, *inputs.sent_segments, *inputs.received_segments):
        if not path.is_file():
            raise NotFound(f"no such file: {path}")
    ledger = _ledger()
    for path in inputs.sent_csv:
        ledger.add_sent_csv(str(path))
    for path in inputs.received_csv:
        ledger.add_received_csv(str(path))
    for path in inputs.sent_segments:
        ledger.add_sent_segment(str(path))
    for path in inputs.received_segments:
        ledger.add_received_segment(str(path))
    result = ledger.join()
    return Joined(Counts.of(result), to_table(result.samples(), case=case, repeat=repeat), result)


def _ledger() -> Any:
    from headrace._core import ledger as native

    return native.Ledger(memory_limit=MEMORY_LIMIT)


def to_table(columns: Mapping[str, Any], *, case: str, repeat: int) -> pa.Table:
    """The ledger's numpy columns (one row per id and receipt) as a table of schema.SAMPLES.

    Absent times become null. Columns that the schema does not know follow behind, unchanged.
    """
    rows = len(columns["id"])
    renamed = {"recipient" if name == "consumer" else name: values for name, values in columns.items()}
    arrays: dict[str, pa.Array] = {}
    for column in SCHEMA:
        if column.name == "case":
            arrays["case"] = _constant(case, rows)
        elif column.name == "repeat":
            arrays["repeat"] = pa.array(np.full(rows, repeat, np.int32))
        elif column.name == "kind" and "kind" not in renamed:
            arrays["kind"] = _constant("message", rows)
        elif column.name in renamed:
            arrays[column.name] = _column(column, renamed[column.name])
        else:
            arrays[column.name] = pa.nulls(rows, column.type)
    extra = {name: pa.array(values) for name, values in renamed.items() if name not in arrays}
    return pa.table(arrays | extra)


def _constant(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text], pa.string()))


def _column(column: pa.Field, values: Any) -> pa.Array:
    array = np.asarray(values) if not isinstance(values, pa.Array | pa.ChunkedArray) else values
    if column.name in _TIMES and isinstance(array, np.ndarray):
        return pa.array(array, column.type, mask=array == ABSENT)
    if pa.types.is_string(column.type):
        return _text(array)
    return pa.array(array).cast(column.type)


def _text(values: Any) -> pa.Array:
    array = pa.array(values) if len(values) else pa.nulls(0, pa.string())
    if pa.types.is_binary(array.type) or pa.types.is_fixed_size_binary(array.type):
        try:
            array = array.cast(pa.string())
        except pa.ArrowInvalid:
            array = pa.array([v.decode("utf-8", "backslashreplace") for v in array.to_pylist()], pa.string())
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """A DataFrame whose integers are nullable (Int64, Int32) so that an absent time is NA, not a rounded
    float."""
    import pandas as pd

    nullable = {
        pa.int64(): pd.Int64Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable.get)
    return frame


def concat(tables: Iterable[pa.Table]) -> pa.Table:
    """The samples of several cases as one table; none gives an empty one. Columns missing in some are
    null."""
    some = list(tables)
    if not some:
        return SCHEMA.empty_table()
    return pa.concat_tables(some, promote_options="permissive")
