"""From what producers and consumers recorded to one tidy table: the ledger's join, in Arrow and pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headrace.errors import NotFound
from headrace.results.schema import SAMPLES
from headrace.results.verdict import Counts

if TYPE_CHECKING:
    import pandas as pd

#: What the native side writes for a time that never happened.
ABSENT = np.iinfo(np.int64).min
#: Memory for the rows of the join, bytes; beyond it the ledger works out of core.
MEMORY_LIMIT = 2 << 30

#: The first bytes of a segment.
_MAGIC = b"headrseg"
_NAME = pa.dictionary(pa.int32(), pa.string())
_TYPES = {"string": pa.string(), "name": _NAME, "int32": pa.int32(), "int64": pa.int64(), "bool": pa.bool_()}
SCHEMA = pa.schema([pa.field(c.name, _TYPES[c.type]) for c in SAMPLES])
_TIMES = ("intended", "sent", "acked", "received", "receive_acked")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files of one case: what producers wrote and what consumers wrote, segments or CSVs in the seed's format."""

    sent: tuple[Path, ...] = ()
    received: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sent or self.received)

    @classmethod
    def find(cls, folder: Path) -> Inputs:
        """What lies in the segment folder of a case: ``sent*`` and ``received*``, ending in ``.seg`` or ``.csv``.

        Empty files are left out: their program was killed before it had anything to write.
        """

        def named(stem: str) -> tuple[Path, ...]:
            found = (p for suffix in ("seg", "csv") for p in folder.glob(f"{stem}*.{suffix}"))
            return tuple(sorted(p for p in found if p.is_file() and p.stat().st_size))

        return cls(named("sent"), named("received"))

    def has_csv(self) -> bool:
        """Whether some file is no segment by its content; then the ledger gives all times as ns since the epoch."""
        return any(not _is_segment(path) for path in (*self.sent, *self.received))


def _is_segment(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


@dataclass(frozen=True, slots=True)
class Joined:
    """One case after the join: the files it was made of, its counts and its samples (schema.SAMPLES)."""

    inputs: Inputs = field(default_factory=Inputs)
    counts: Counts = field(default_factory=Counts)
    table: pa.Table = field(default_factory=SCHEMA.empty_table, repr=False)


def join(inputs: Inputs, *, case: str, repeat: int = 1, epoch_shift_ns: int = 0) -> Joined:
    """Joins what was sent with what was received, by id.

    Times are as recorded: monotonic ns from segments; from CSVs ns since the epoch minus ``epoch_shift_ns`` (of the
    run's anchor: epoch - monotonic), so that they are monotonic too.

    Raises NotFound for a file that is not there, IoError for one that cannot be read.
    """
    from headrace._core import ledger as native

    if not inputs:
        return Joined(inputs)
    for path in (*inputs.sent, *inputs.received):
        if not path.is_file():
            raise NotFound(f"no such file: {path}")
    sent, received = [str(p) for p in inputs.sent], [str(p) for p in inputs.received]
    ledger = native.Ledger(sent, received, memory_limit=MEMORY_LIMIT)
    columns = ledger.samples()
    columns["source"] = _names(columns["source"], inputs.sent)
    columns["recipient"] = _names(columns.pop("consumer"), inputs.received)
    shift = epoch_shift_ns if inputs.has_csv() else 0
    return Joined(inputs, Counts.of(ledger.counts), to_table(columns, case=case, repeat=repeat, shift_ns=shift))


def _names(indices: npt.NDArray[np.int32], paths: tuple[Path, ...]) -> pa.Array:
    """The name of the file of each row; null for -1."""
    names = pa.array([p.name for p in paths], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32(), mask=indices < 0), names)


def to_table(columns: Mapping[str, Any], *, case: str, repeat: int, shift_ns: int = 0) -> pa.Table:
    """The ledger's numpy columns (one row per id and receipt) as a table of schema.SAMPLES.

    ``shift_ns`` is taken from every time; absent times become null.
    """
    rows = len(columns["id"])
    given: dict[str, Any] = {"case": _constant(case, rows), "kind": _constant("message", rows), **columns}
    given["repeat"] = np.full(rows, repeat, np.int32)
    arrays = []
    for column in SCHEMA:
        values = given[column.name]
        if column.name in _TIMES:
            arrays.append(pa.array(values - shift_ns, column.type, mask=values == ABSENT))
        elif column.name == "id":
            arrays.append(_text(values))
        else:
            array = values if isinstance(values, pa.Array) else pa.array(values)
            arrays.append(array.cast(column.type))
    return pa.table(arrays, schema=SCHEMA)


def _constant(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text], pa.string()))


def _text(ids: npt.NDArray[np.bytes_]) -> pa.Array:
    """Ids as text. Bytes that are not UTF-8 are shown as escapes."""
    array = pa.array(ids, pa.binary())
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([v.decode("utf-8", "backslashreplace") for v in array.to_pylist()], pa.string())


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
    """The samples of several cases as one table; none gives an empty one."""
    some = list(tables)
    if not some:
        return SCHEMA.empty_table()
    return pa.concat_tables(some).unify_dictionaries()
